# Reading HaloPSA: history and changes, lean lists and single records, people,
# companies, comments and catalogues, and what an account may see.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

use Simulator::OpenAPI;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 230, '--halopsa-leads', 20, '--halopsa-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }
sub control { my ($what, %arguments) = @_; return $simulator->post($what, { vendor => 'halopsa', %arguments }); }
sub requests { return @{ $simulator->get('requests', vendor => 'halopsa', limit => 100000, @_)->{requests} }; }

# Read all streams whose names match once more.
sub pull
{
	my ($kinds) = @_;

	value("SELECT zcsync.refresh('psa/' || kind) FROM zcsync.streams WHERE kind ~ '$kinds'");
	return run_worker($node, 'postgres', '60 s');
}

value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa',
	'{"base_url": "%s", "tenant": "acme", "budgets": {"api": {"calls": 100000, "window_s": 1}, "token": {"calls": 1000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);

# ------------------------------------------------------------ the account

is(value(q{SELECT string_agg(item || ' ' || ok, ', ' ORDER BY item) FROM zcsync.check_account('psa')}),
	'connection true, credentials true, login true, read ticket types true, read tickets true, scope true, settings true', 'an account that works');
my $found = value(q{SELECT string_agg(kind || ' ' || n, ', ' ORDER BY kind) FROM (SELECT kind, count(*) AS n FROM zcsync.discover('psa') GROUP BY kind) AS x});
is($found, 'agent 7, custom field 16, opportunity status 7, outcome 6, priority 4, team 4, ticket status 8, ticket type 6', 'what there is');
is(value(q{SELECT id || ' ' || detail::text FROM zcsync.discover('psa') WHERE kind = 'ticket type' AND path = 'Change'}),
	'21 {"use": "ticket", "required": ["CFimpact", "category_1", "details", "summary"]}', 'with the fields that a ticket type requires');
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "client-acme", "client_secret": "wrong"}')});
like(value(q{SELECT message || ' | ' || hint FROM zcsync.check_account('psa') WHERE item = 'login' AND NOT ok}),
	qr/not accepted.*invalid_client.*application.*set_credentials/, 'a wrong secret');
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "client-acme", "client_secret": "secret-acme"}')});
value(q{SELECT zcsync.alter_account('psa', '{"tenant": "other"}')});
like(value(q{SELECT message || ' | ' || hint FROM zcsync.check_account('psa') WHERE item = 'login' AND NOT ok}), qr/not accepted.*tenant/, 'a wrong tenant');
value(q{SELECT zcsync.alter_account('psa', '{"tenant": "acme", "tenant_in": "body"}')});
is(value(q{SELECT ok FROM zcsync.check_account('psa') WHERE item = 'login'}), 't', 'the tenant in the form');
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "limited-acme", "client_secret": "secret-acme"}')});
like(value(q{SELECT coalesce(ok::text, 'unknown') || ' ' || message || ' | ' || hint FROM zcsync.check_account('psa') WHERE item = 'read tickets'}),
	qr/^unknown the list of tickets is empty.*API application/, 'an application without permissions sees empty lists');
value(q{SELECT zcsync.set_credentials('psa', '{"client_id": "client-acme", "client_secret": "secret-acme"}')});

# ------------------------------------------------------------ history

like(value(q{SELECT string_agg(item || ': ' || value, ', ') FROM zcsync.add_stream('psa', 'tickets', since => '2020-01-01', pull_interval => '1 second')}),
	qr/records: at most 230, calls: about 230/, 'a ticket costs a call');
value(qq{SELECT count(*) FROM zcsync.add_stream('psa', '$_', since => '2020-01-01', pull_interval => '1 second')}) for qw(leads contacts companies);
value(qq{SELECT count(*) FROM zcsync.add_stream('psa', '$_')}) for qw(fields statuses);
value(qq{SELECT count(*) FROM zcsync.alter_stream('psa/$_', comments => 'all')}) for qw(tickets leads);
run_worker($node, 'postgres', '60 s');
# a history ends when it is looked at after the last of its records was read
for (1 .. 10)
{
	last if value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running'}) == 0;
	$node->poll_query_until('postgres', q{SELECT bool_and(next_pull_at <= now()) FROM zcsync.streams WHERE history_state = 'running'}) or die 'no history is due';
	run_worker($node, 'postgres', '60 s');
}
# from now on they are read when asked for
value(q{SELECT zcsync.alter_stream('psa/' || kind, pull_interval => '1 day') FROM zcsync.streams; UPDATE zcsync.streams SET next_pull_at = now() + interval '1 day'});
is(value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running' OR last_error IS NOT NULL}), 0, 'all is read');
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'without failures');

# What the simulator has, as a table.
sub state
{
	my ($what, $key) = @_;
	my $rows = $simulator->get("state/halopsa/$what", account => 'acme', limit => 100000)->{ $key // $what };
	my $text = JSON::PP->new->canonical->encode($rows);

	$node->safe_psql('postgres', "DROP TABLE IF EXISTS vendor_$what; CREATE TABLE vendor_$what AS
		SELECT e ->> 'id' AS id, e AS doc FROM jsonb_array_elements(\$json\$$text\$json\$::jsonb) AS e");
	return scalar @$rows;
}

sub same_tickets
{
	my ($when) = @_;

	state('tickets');
	is(value(q{SELECT string_agg(coalesce(v.id, t.remote_id), ', ')
		FROM vendor_tickets v FULL JOIN (SELECT * FROM zcsync.tickets WHERE deleted_at IS NULL) t ON t.remote_id = v.id
		WHERE (v.doc ->> 'summary', replace(nullif(v.doc ->> 'details', ''), E'\r\n', E'\n'), v.doc ->> 'status_id', v.doc ->> 'priority_id', v.doc ->> 'client_id', v.doc ->> 'site_id',
				nullif(v.doc ->> 'user_id', '0'), v.doc ->> 'agent_id', v.doc ->> 'team', v.doc ->> 'tickettype_id', (v.doc ->> 'last_update')::timestamptz,
				ARRAY(SELECT x ->> 'text' FROM jsonb_array_elements(v.doc -> 'tags') AS x ORDER BY 1))
			IS DISTINCT FROM (t.subject, t.description, t.status, t.priority, t.organization_id, t.site_id,
				t.requester_id, t.assignee_id, t.group_id, t.form_id, t.updated_at, ARRAY(SELECT x FROM unnest(t.tags) AS x ORDER BY 1))}), '', $when);
}
same_tickets('tickets are those at HaloPSA');
is(value('SELECT count(*) FROM zcsync.leads'), 20, 'opportunities, too');
is(value('SELECT count(*) FROM zcsync.leads WHERE email IS NULL OR summary IS NULL OR type_id IS NULL OR status_id IS NOT NULL'), 0, 'with their columns');
is(value('SELECT count(*) FROM zcsync.contacts'), state('users'), 'users');
is(value('SELECT count(*) FROM zcsync.contacts WHERE site_id IS NULL OR organization_id IS NULL'), 0, 'with site and client');
is(value('SELECT count(*) FROM zcsync.companies'), state('clients') + state('sites'), 'clients and sites');
is(value(q{SELECT count(*) FROM zcsync.companies s JOIN zcsync.companies c ON c.remote_id = s.parent_id AND c.type = 'client' WHERE s.type = 'site'}),
	state('sites'), 'sites below their clients');
is(value(q{SELECT count(*) FROM vendor_tickets v WHERE EXISTS (SELECT FROM zcsync.tickets t WHERE t.remote_id = v.id AND t.custom_fields <> '{}')}) > 50 ? 1 : 0, 1, 'custom fields');
is(value(q{SELECT count(DISTINCT jsonb_typeof(e.value)) FROM zcsync.tickets t, jsonb_each(t.custom_fields) e}) >= 3 ? 1 : 0, 1, 'of several types');

# Read the comments of what is due.
sub read_comments
{
	for (1 .. 20)
	{
		value(q{UPDATE zcsync.streams SET comments_at = now() WHERE comments_at IS NOT NULL});
		run_worker($node, 'postgres', '60 s');
		return if value(q{SELECT count(*) FROM zcsync.conversations WHERE due_at IS NOT NULL}) == 0;
	}
	die 'comments are not read';
}
read_comments();
cmp_ok(value('SELECT count(*) FROM zcsync.comments WHERE body IS NOT NULL AND rich_body IS NOT NULL AND author_name IS NOT NULL'), '>', 50, 'comments');
is(value('SELECT count(*) FROM zcsync.conversations WHERE read_at IS NULL'), 0, 'of all records');
is(value(q{SELECT count(*) FROM zcsync.conversations WHERE kind = 'leads'}), 20, 'opportunities, too');
is(value(q{SELECT count(*) FROM zcsync.statuses WHERE scope_id = 'tickets'}) . ' ' . value(q{SELECT count(*) FROM zcsync.statuses WHERE scope_id = 'leads'}), '8 7', 'statuses by use');

# ------------------------------------------------------------ changes

my $id = value('SELECT remote_id FROM zcsync.tickets WHERE status <> \'9\' ORDER BY remote_id::bigint DESC LIMIT 1');
my ($seen) = sort { $b <=> $a } map { $_->{seq} } requests();
pull('^(?:tickets|leads)$');
is(scalar(grep { $_->{path} =~ m{/api/(?:tickets|opportunities)/\d+}i } requests(since => $seen)), 0, 'what did not change is not read again');
control('edit', id => $id, fields => { summary => 'Renamed', status_id => 28, tags => [ 'one', 'two' ], customfields => { CFOrderNumber => 'ORD-1', CFEffort => '2.5' } });
control('edit', id => value('SELECT max(remote_id::bigint) FROM zcsync.leads'), fields => { oppcontactname => 'Anna Maria van Dijk', status_id => 42, oppvalue => 1234.5 });
my $new = control('create', fields => { summary => 'A new one', details => "two\r\nlines" })->{id};
control('edit', kind => 'user', id => value('SELECT max(remote_id::bigint) FROM zcsync.contacts'), fields => { emailaddress => 'new@example.com' });
control('edit', id => $id, fields => { comment => 'What an agent says' });
pull('tickets|leads|contacts');
read_comments();
same_tickets('changes have arrived');
is(value("SELECT status || ' ' || (custom_fields -> '216') || ' ' || (custom_fields ->> '211') FROM zcsync.tickets WHERE remote_id = '$id'"), '28 2.5 ORD-1', 'with custom fields');
is(value("SELECT description = E'two\\nlines' FROM zcsync.tickets WHERE remote_id = '$new'"), 't', 'and a new ticket');
is(value('SELECT first_name || \'|\' || last_name || \'|\' || status || \'|\' || trim_scale(value) FROM zcsync.leads ORDER BY remote_id::bigint DESC LIMIT 1'), 'Anna Maria van|Dijk|42|1234.5', 'an opportunity');
is(value(q{SELECT count(*) FROM zcsync.contacts WHERE email = 'new@example.com'}), 1, 'a user');
is(value(qq{SELECT is_private FROM zcsync.comments WHERE parent_id = '$id' AND body = 'What an agent says'}), 't', 'a comment');
is(value(q{SELECT sync_state FROM zcsync.tickets GROUP BY 1}), 'synced', 'nothing is left to be sent');
($seen) = sort { $b <=> $a } map { $_->{seq} } requests();
pull('tickets');
read_comments();
is(scalar(grep { $_->{path} =~ m{/api/actions}i } requests(since => $seen)), 0, 'comments of tickets that nobody acted on are not read again');

# An older build names the time of the last change differently.
control('settings', old_build => 1);
control('edit', id => $id, fields => { summary => 'Renamed again' });
pull('tickets');
is(value("SELECT subject FROM zcsync.tickets WHERE remote_id = '$id'"), 'Renamed again', 'flastupdate for last_update');
control('settings', old_build => 0);

# A filter that is ignored costs, but loses nothing.
control('settings', lastupdate_filter => 0);
control('edit', id => $id, fields => { summary => 'Once more' });
pull('tickets');
is(value("SELECT subject FROM zcsync.tickets WHERE remote_id = '$id'"), 'Once more', 'where the filter is not heeded');
is(value(q{SELECT code || ' ' || object FROM zcsync.alerts WHERE resolved_at IS NULL}), 'halopsa_filter psa/tickets', 'somebody is told');
control('settings', lastupdate_filter => 1);
pull('tickets');
is(value(q{SELECT code || ' ' || object FROM zcsync.alerts WHERE resolved_at IS NULL}), '', 'and it is over when the filter works');

# ------------------------------------------------------------ without details

value(q{SELECT zcsync.alter_stream('psa/tickets', scope => '{"details": false}')});
control('edit', id => $id, fields => { summary => 'By list', tags => ['three'] });
($seen) = sort { $b <=> $a } map { $_->{seq} } requests();
pull('tickets');
run_worker($node, 'postgres', '60 s');
is(scalar(grep { $_->{path} =~ m{/api/tickets/\d+}i } requests(since => $seen)), 0, 'without details no ticket is read singly');
is(value("SELECT subject || ' ' || array_to_string(tags, ',') FROM zcsync.tickets WHERE remote_id = '$id'"), 'By list one,two', 'what a list lacks keeps its value');
value(q{SELECT zcsync.alter_stream('psa/tickets', scope => '{"ticket_type_id": 3}')});
pull('tickets');
is(value('SELECT count(*) FROM zcsync.tickets WHERE deleted_at IS NOT NULL'), 0, 'a narrower scope deletes nothing');

# ------------------------------------------------------------ the vendor's document

SKIP:
{
	my $documents = Simulator::OpenAPI->load;
	skip "the vendors' documents are not here", 1 if !$documents || !$documents->documents->{halopsa};

	my %problems = map { $_ => 1 } map { $documents->check_request('halopsa', $_->{method}, $_->{path}, $_->{query}) } grep { $_->{path} !~ m{/auth/} } requests();
	is(join("\n", sort keys %problems), '', 'every request is one that HaloPSA documents');
}

$node->stop;
done_testing();
