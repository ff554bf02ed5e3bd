# Rows of leads and tickets and their records at a simulated HaloPSA: many in one
# call, each once, whatever becomes of the call.

use strict;
use warnings;

use Encode qw(encode);
use Mojo::JSON qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

use Simulator::OpenAPI;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 12, '--halopsa-leads', 8, '--halopsa-plan', 'none', '--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.bulk_write_limit = 100000\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
# Let the worker work until nothing is left that could be sent: neither the time
# that a look-up waits nor a pause is waited for.
sub work
{
	my ($rounds) = @_;

	for (1 .. $rounds // 10)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready';
			UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL;
			UPDATE zcsync.account_budgets SET paused_until = NULL, tokens = 1000});
		run_worker($node, 'postgres', '30 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation <> 'pull'}) == 0;
	}
}
sub pull { value(q{UPDATE zcsync.streams SET next_pull_at = now()}); work(); }
# Calls that were made since the last look, and what they carried.
my $seen = 0;
sub requests
{
	my @all = grep { $_->{seq} > $seen } @{ $simulator->get('requests', vendor => 'halopsa', limit => 1000000)->{requests} };

	$seen = $all[-1]{seq} if @all;
	return @all;
}
sub posts { return grep { $_->{method} eq 'POST' && $_->{path} =~ m{/api/} } @_; }
sub lookups { return grep { $_->{method} eq 'GET' && $_->{query} =~ /orderdesc=true/ } @_; }
sub elements { return map { @{ decode_json($_->{body}) } } posts(@_); }
sub duplicates { return $simulator->get('stats')->{duplicates}{halopsa}{marker}{duplicates} // 0; }
sub leads { return @{ $simulator->get('state/halopsa/opportunities', limit => 100000)->{opportunities} }; }
# how many opportunities have a summary like that
sub there { my ($pattern) = @_; return scalar grep { $_->{summary} =~ /$pattern/ } leads(); }
sub insert { my ($n, $name, $more) = @_; return value(sprintf "INSERT INTO zcsync.leads (account_id, summary, first_name, last_name, type_id%s) SELECT zcsync.account('halo'), '%s ' || i, 'Ann', 'Lead' || i, '40'%s FROM generate_series(1, %d) i",
		$more ? ", $more->[0]" : '', $name, $more ? ", $more->[1]" : '', $n); }
sub synced { my ($name) = @_; return value("SELECT count(*) FROM zcsync.leads WHERE summary LIKE '$name %' AND sync_state = 'synced' AND remote_id IS NOT NULL"); }
sub dead { return value(q{SELECT coalesce(string_agg(concat_ws('|', coalesce(l.summary, t.subject), d.class, d.status, d.message), E'\n' ORDER BY d.job_id), '')
	FROM zcsync.dead_letters d LEFT JOIN zcsync.leads l USING (local_id) LEFT JOIN zcsync.tickets t USING (local_id)}); }

value(sprintf q{SELECT zcsync.add_account('halo', 'halopsa', settings => '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{SELECT zcsync.add_stream('halo', kind, since => '2000-01-01') FROM unnest('{tickets,leads,contacts}'::text[]) kind;
	SELECT zcsync.add_stream('halo', kind) FROM unnest('{fields,statuses}'::text[]) kind;
	SELECT zcsync.alter_stream('halo/' || kind, writes => true) FROM unnest('{tickets,leads}'::text[]) kind});
work();
is(value(q{SELECT count(*) FROM zcsync.leads}), 8, 'opportunities are read');
is(value(q{SELECT count(*) FROM zcsync.tickets}), 12, 'and tickets');
cmp_ok(value(q{SELECT count(*) FROM zcsync.fields WHERE scope_id = 'custom'}), '>', 10, 'and the catalogue of fields');
is(scalar(posts(requests())), 0, 'nothing was written');

# ---------------------------------------------------------------------
# Many at once
# ---------------------------------------------------------------------
insert(100, 'Plain');
work();
my @requests = requests();
is(scalar(posts(@requests)), 1, '100 creates travel in one call');
is(scalar(elements(@requests)), 100, 'an element for each');
is(synced('Plain'), 100, 'all synced');
is(value(q{SELECT count(DISTINCT remote_id) FROM zcsync.leads WHERE summary LIKE 'Plain %'}), 100, 'each has its own record');
is(there('^Plain \d+$'), 100, 'they are there');
is(value(q{SELECT count(*) FROM zcsync.leads l WHERE summary LIKE 'Plain %' AND remote ->> 'third_party_id_string' = 'zcsync-' || sync_key AND remote ->> 'summary' = summary}), 100, 'each row has its own document');
pull();
is(scalar(posts(requests())), 0, 'the echo is not answered');
is(value(q{SELECT coalesce(string_agg(old::text || new::text, ' '), '') FROM (SELECT * FROM zcsync.changes WHERE cause = 'pull' AND kind = 'leads' LIMIT 3) c}), '', 'and is no change');

value(q{UPDATE zcsync.leads SET status = '41', value = 1500.5 WHERE summary LIKE 'Plain %'});
work();
@requests = requests();
is(scalar(posts(@requests)), 1, '100 changes travel in one call');
is(join(' ', map { join ',', sort keys %$_ } (elements(@requests))[0]), 'id,oppvalue,status_id', 'only what differs');
is(synced('Plain'), 100, 'all synced');
is(scalar(grep { $_->{summary} =~ /^Plain/ && $_->{status_id} == 41 && $_->{oppvalue} == 1500.5 } leads()), 100, 'all changed there');

# changes would wait for a read
value(q{UPDATE zcsync.streams SET read_began_at = now(), last_pull_at = now(); UPDATE zcsync.leads SET city = 'Bath' WHERE summary ~ '^Plain .$'});
insert(20, 'Beside');
work();
@requests = requests();
is(scalar(posts(@requests)), 1, 'creates and changes travel together');
is(scalar(grep { $_->{id} } elements(@requests)) . '+' . scalar(grep { $_->{third_party_id_string} } elements(@requests)), '9+20', 'as many as there were');
is(synced('Beside'), 20, 'all synced');

# ---------------------------------------------------------------------
# All values
# ---------------------------------------------------------------------
value(q{INSERT INTO zcsync.leads (account_id, summary, description, first_name, last_name, company, title, email, phone, street, city, region, postal_code, country, status, type_id, owner_id, team,
		value, probability, stage_id, custom_fields)
	VALUES (zcsync.account('halo'), E'Всё \U0001F41E "x"', E'line\nline', 'Anna Maria', 'Müller', 'Example & Sons', 'CTO', 'a@example.com', '+44 1', '1 High St', 'Bath', 'Avon', 'BA1', 'UK', '41', '41', '6', 'Sales',
		95.0, 50, '2', '{"220": "apollo", "221": "12.50", "223": true, "224": "2026-12-24", "225": ["Backup", 3]}')});
work();
is(dead(), '', 'all values are accepted');
my ($lead) = grep { $_->{oppemailaddress} eq 'a@example.com' } leads();
is(join('|', map { $lead->{$_} } qw(oppcontactname oppcompanyname oppjobtitle oppemailaddress opptel oppaddr1 oppaddr2 oppaddr3 opppostcode oppcountry status_id tickettype_id agent_id team oppvalue oppconversionprobability pipeline_stage_id)),
	"Anna Maria M\x{FC}ller|Example & Sons|CTO|a\@example.com|+44 1|1 High St|Bath|Avon|BA1|UK|41|41|6|Sales|95|50|2", 'as they are there');
is(join('|', map { my $v = $_->{value}; "$_->{id}=" . (ref $v eq 'ARRAY' ? join ',', map { $_->{id} } @$v : $v) } sort { $a->{id} <=> $b->{id} } @{ $lead->{customfields} }),
	'220=1|221=12.5|222=|223=1|224=2026-12-24T00:00:00Z|225=1,3', 'custom fields by their types');
is(value(q{SELECT sync_state, first_name, last_name, custom_fields FROM zcsync.leads WHERE email = 'a@example.com'}),
	'synced|Anna Maria|Müller|{"220": 1, "221": 12.5, "223": true, "224": "2026-12-24T00:00:00+00:00", "225": [1, 3]}', 'in the vendor\'s form');
value(q{UPDATE zcsync.leads SET custom_fields = '{"220": 2}', title = NULL, value = NULL, owner_id = NULL WHERE email = 'a@example.com'});
work();
($lead) = grep { $_->{oppemailaddress} eq 'a@example.com' } leads();
is(join('|', $lead->{oppjobtitle}, $lead->{oppvalue}, map { ref $_->{value} eq 'ARRAY' ? scalar @{ $_->{value} } : $_->{value} } sort { $a->{id} <=> $b->{id} } @{ $lead->{customfields} }),
	'|0|2|||0|1900-01-01T00:00:00|0', 'emptied');
is(value(q{SELECT sync_state, title, custom_fields -> '220' FROM zcsync.leads WHERE email = 'a@example.com'}), 'synced||2', 'here, too');

my ($user, $site, $client) = split /\|/, value(q{SELECT remote_id, site_id, organization_id FROM zcsync.contacts WHERE site_id IS NOT NULL AND organization_id IS NOT NULL ORDER BY local_id DESC LIMIT 1});
value(qq{INSERT INTO zcsync.tickets (account_id, subject, description, form_id, priority, requester_id, tags, due_at, group_id, custom_fields)
	VALUES (zcsync.account('halo'), 'A ticket', 'broken', '3', '2', '$user', '{b,a,b}', '2026-12-24 18:00:00.7+00', '2nd Line', '{"206": "Telephony", "210": "staging", "212": "memo", "213": "09:30", "214": "yes", "215": "<p>x</p>", "216": 5}')});
work();
is(dead(), '', 'a ticket with all values is accepted');
is(value(q{SELECT sync_state, organization_id, site_id, tags, due_at AT TIME ZONE 'UTC', group_id, custom_fields FROM zcsync.tickets WHERE subject = 'A ticket'}),
	"synced|$client|$site|{a,b}|2026-12-24 18:00:00|2nd Line|" . '{"206": 36, "210": [2], "212": "memo", "213": "09:30:00", "214": true, "215": "<p>x</p>", "216": 5}', 'in the vendor\'s form, with the client and site of the user');
my ($other, $other_site, $other_client) = split /\|/, value(qq{SELECT remote_id, site_id, organization_id FROM zcsync.contacts WHERE site_id <> '$site' AND organization_id <> '$client' ORDER BY local_id LIMIT 1});
value(qq{UPDATE zcsync.tickets SET requester_id = '$other' WHERE subject = 'A ticket'});
work();
is(value(q{SELECT sync_state, requester_id, site_id, organization_id FROM zcsync.tickets WHERE subject = 'A ticket'}), "synced|$other|$other_site|$other_client", 'a new user brings client and site');
# form only: nothing is sent
requests();
value(q{UPDATE zcsync.tickets SET tags = '{b,a}', custom_fields = custom_fields || '{"206": "telephony"}', status = status || '.0' WHERE subject = 'A ticket'});
work();
is(scalar(posts(requests())), 0, 'another form of the same is not sent');
is(value(q{SELECT sync_state, tags, custom_fields -> '206', status FROM zcsync.tickets WHERE subject = 'A ticket'}), 'synced|{a,b}|36|1', 'and becomes the vendor\'s');

# The reply to a create is lost.  A read brings the ticket, and then the look-up finds it
# in a list, which does not show its tags.
$simulator->post('faults', { vendor => 'halopsa', method => 'POST', path => '/Tickets', fault => 'reset_after', count => 1 });
value(qq{INSERT INTO zcsync.tickets (account_id, subject, description, form_id, priority, requester_id, tags, custom_fields)
	VALUES (zcsync.account('halo'), 'A lost ticket', 'broken', '3', '2', '$user', '{b,a,b}', '{"206": "Telephony"}')});
run_worker($node, 'postgres', '5 s');
value(q{UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL; SELECT zcsync.refresh('halo/tickets')});
run_worker($node, 'postgres', '10 s');
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE subject = 'A lost ticket'}), 2, 'a read brings the ticket whose create is not answered');
work();
is(value(q{SELECT sync_state, tags FROM zcsync.tickets WHERE subject = 'A lost ticket'}), 'synced|{a,b}', 'it is found, and keeps its tags');
is(join(',', map { $_->{text} } map { @{ $_->{tags} } } grep { $_->{summary} eq 'A lost ticket' } @{ $simulator->get('state/halopsa/tickets', limit => 100000)->{tickets} }), 'a,b', 'there, too');
requests();

# ---------------------------------------------------------------------
# What cannot be sent
# ---------------------------------------------------------------------
insert(10, 'Good');
insert(1, 'Bad status', [ 'status', "'Won'" ]);
insert(1, 'Bad option', [ 'custom_fields', q('{"220": "Carrier pigeon"}'::jsonb) ]);
insert(1, 'Bad field', [ 'custom_fields', q('{"999": 1}'::jsonb) ]);
work();
@requests = requests();
is(scalar(posts(@requests)), 1, 'one call');
is(scalar(elements(@requests)), 10, 'without what cannot be sent');
is(synced('Good'), 10, 'the others are through');
is(dead(), qq{Bad status 1|rejected|cannot be sent to HaloPSA: "Won" is not a valid status\nBad option 1|rejected|cannot be sent to HaloPSA: "Carrier pigeon" is not a value of custom field "Lead source", which is of type select\n}
	. 'Bad field 1|rejected|cannot be sent to HaloPSA: there is no custom field "999"', 'readable errors');
is(value(q{SELECT string_agg(DISTINCT hint, ' ') FROM zcsync.errors}), 'zcsync.fields shows the custom fields and their options. zcsync.statuses shows the ids of statuses.', 'and hints');
is(value(q{SELECT string_agg(DISTINCT sync_state, ' ') FROM zcsync.leads WHERE summary LIKE 'Bad %'}), 'failed', 'the rows say so');
value(q{UPDATE zcsync.leads SET status = '44' WHERE summary = 'Bad status 1'});
work();
is(synced('Bad status'), 1, 'a change of the row tries anew');
value('DELETE FROM zcsync.dead_letters');

# ---------------------------------------------------------------------
# One that HaloPSA refuses, among 100
# ---------------------------------------------------------------------
foreach my $batch ('partial', 'atomic')
{
	$simulator->post('settings', { vendor => 'halopsa', batch => $batch });
	requests();
	insert(99, "Among $batch");
	insert(1, "Refused $batch", [ 'owner_id', "'777'" ]);
	# in the middle
	value("UPDATE zcsync.sync_queue q SET priority = 40 FROM zcsync.leads l WHERE l.local_id = q.local_id AND l.summary ~ '^Among $batch .\$|[1-4].\$'");
	work(20);
	@requests = requests();
	is(synced("Among $batch"), 99, "$batch: 99 arrive");
	is(there("^Among $batch"), 99, "$batch: each once");
	is(there("^Refused $batch"), 0, "$batch: one does not");
	is(dead(), "Refused $batch 1|rejected|400|Invalid Agent", "$batch: with a readable error");
	is(duplicates(), 0, "$batch: no duplicates");
	cmp_ok(scalar(posts(@requests)), '<', 40, "$batch: in " . posts(@requests) . ' calls, and ' . lookups(@requests) . ' look-ups');
	value('DELETE FROM zcsync.dead_letters');

	value("UPDATE zcsync.leads SET phone = '$batch', owner_id = CASE WHEN summary = 'Among $batch 50' THEN '778' ELSE owner_id END WHERE summary LIKE 'Among $batch %'");
	work(20);
	is(scalar(grep { $_->{summary} =~ /^Among $batch/ && $_->{opptel} eq $batch } leads()), 99 - 1, "$batch: 98 changes of 99 arrive");
	is(dead(), "Among $batch 50|rejected|400|Invalid Agent", "$batch: the other has a readable error");
	value('DELETE FROM zcsync.dead_letters');
	value("UPDATE zcsync.leads SET owner_id = '6' WHERE summary = 'Among $batch 50'");
	work();
	is(synced("Among $batch"), 99, "$batch: and arrives when it is put right");
}
$simulator->post('settings', { vendor => 'halopsa', batch => 'partial' });

# ---------------------------------------------------------------------
# Replies that say less than they should
# ---------------------------------------------------------------------
$simulator->post('settings', { vendor => 'halopsa', returnall => 0 });
requests();
insert(250, 'Last');
work(20);
@requests = requests();
is(synced('Last'), 250, 'only the last record of each call comes back: all are synced');
is(there('^Last'), 250, 'each once');
is(duplicates(), 0, 'no duplicates');
is(scalar(elements(@requests)), 250, 'nothing was sent twice');
cmp_ok(scalar(lookups(@requests)), '<=', 20, 'those that look share their look-ups: ' . lookups(@requests));
value(q{UPDATE zcsync.leads SET region = 'Avon' WHERE summary LIKE 'Last %'});
work();
is(scalar(posts(requests())), 3, 'changes are not sent twice, either');
is(synced('Last'), 250, 'what was accepted counts as done');
is(scalar(grep { $_->{summary} =~ /^Last/ && $_->{oppaddr3} eq 'Avon' } leads()), 250, 'all changed there');
$simulator->post('settings', { vendor => 'halopsa', returnall => 1 });

# ---------------------------------------------------------------------
# Replies that get lost
# ---------------------------------------------------------------------
my $seed = $ENV{ZCSYNC_TEST_SEED} // int rand 1_000_000;
diag("replay with ZCSYNC_TEST_SEED=$seed");
$simulator->post('faults', [
	{ vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'reset_after', skip => 3, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'truncated_json', skip => 9, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'html_502', after => \1, skip => 14, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'stop_at', element => 2, skip => 17, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'reset_before', skip => 20, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/Opportunities', fault => 'reset_after', probability => 0.02, seed => $seed, count => 0 } ]);
requests();
insert(500, 'Lost');
# in many small calls, so that there is something to lose
value(q{UPDATE zcsync.sync_queue SET batch_max = 5 WHERE operation = 'push'});
work(30);
@requests = requests();
is(synced('Lost'), 500, 'replies are lost: all are synced');
is(there('^Lost'), 500, 'each once');
is(duplicates(), 0, 'no duplicates');
is(value(q{SELECT count(*) > 10 FROM zcsync.sync_records r JOIN zcsync.leads l USING (local_id) WHERE l.summary LIKE 'Lost %' AND r.status = 'found'}), 't', 'those whose replies were lost were found');
is(dead(), '', 'nothing is given up');
$simulator->no_faults;

# ---------------------------------------------------------------------
# Tokens end
# ---------------------------------------------------------------------
requests();
insert(30, 'Token');
$simulator->post('expire_tokens', { vendor => 'halopsa' });
work();
@requests = requests();
is(synced('Token'), 30, 'a token ended: all are synced');
is(there('^Token'), 30, 'each once');
is(scalar(grep { $_->{path} =~ m{/auth/token$} } @requests), 1, 'one new token was fetched');
is(value(q{SELECT coalesce(max(failures), 0) FROM zcsync.sync_queue}) . dead(), '0', 'and that is nobody\'s failure');

# ---------------------------------------------------------------------
# Both sides at once; gone there
# ---------------------------------------------------------------------
my $id = value(q{SELECT remote_id FROM zcsync.leads WHERE summary = 'Plain 1'});
$simulator->post('edit', { vendor => 'halopsa', id => $id, fields => { oppjobtitle => 'CEO' } });
value(q{UPDATE zcsync.leads SET phone = '123' WHERE summary = 'Plain 1'});
work();
pull();
is(value(q{SELECT title, phone, sync_state FROM zcsync.leads WHERE summary = 'Plain 1'}), 'CEO|123|synced', 'edits of both sides are kept');
$simulator->post('delete', { vendor => 'halopsa', id => value(q{SELECT remote_id FROM zcsync.leads WHERE summary = 'Plain 2'}) });
value(q{UPDATE zcsync.leads SET phone = '124' WHERE summary IN ('Plain 2', 'Plain 3', 'Plain 4')});
work(20);
is(dead() =~ /^Plain 2\|not_found\|404\|/ ? 'gone' : dead(), 'gone', 'a change of what is gone says so');
is(value(q{SELECT string_agg(sync_state, ' ') FROM zcsync.leads WHERE summary IN ('Plain 3', 'Plain 4')}), 'synced synced', 'and keeps nobody else');

# ---------------------------------------------------------------------
# A thousand
# ---------------------------------------------------------------------
requests();
insert(1000, 'Thousand');
work();
@requests = requests();
cmp_ok(scalar(posts(@requests)), '<=', 12, '1,000 rows take at most 12 calls');
is(synced('Thousand'), 1000, 'all synced');
is(there('^Thousand'), 1000, 'each once');
is(duplicates(), 0, 'no duplicates');

# ---------------------------------------------------------------------
# Each request, as it was sent, against the vendor's own description
# ---------------------------------------------------------------------
SKIP:
{
	my $documents = Simulator::OpenAPI->load;

	skip "the vendors' documents are not here", 2 if !$documents || !$documents->documents->{halopsa};
	my %wrong;
	my @all = grep { $_->{path} =~ m{/(?:Tickets|Opportunities)\b} } @{ $simulator->get('requests', vendor => 'halopsa', limit => 1000000)->{requests} };

	for my $request (@all)
	{
		$wrong{$_}++ for $documents->check_request('halopsa', $request->{method}, $request->{path}, $request->{query}, encode('UTF-8', $request->{body} // ''));
	}
	cmp_ok(scalar(@all), '>', 200, scalar(@all) . ' requests were made');
	is(join("\n", sort keys %wrong), '', 'all of them valid');
}

is(log_lines($node, 'PANIC|FATAL|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
