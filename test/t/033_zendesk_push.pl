# Rows of tickets and their tickets at a simulated Zendesk: made, changed,
# looked up, merged with what others changed, refused; each once, and quiet
# afterwards.

use strict;
use warnings;

use Encode qw(encode);
use Mojo::JSON qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

use Simulator::OpenAPI;

my $simulator = start_simulator('--tickets', 30, '--tasks', 0, '--zendesk-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.request_timeout = 3s\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');
$simulator->post('holdback', { seconds => -2 });

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
# Let the worker work until nothing is left that could be sent; neither the time
# that a look-up waits nor a pause is waited for.
sub work
{
	my ($rounds) = @_;

	for (1 .. $rounds // 10)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready';
			UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL;
			UPDATE zcsync.account_budgets SET paused_until = NULL, tokens = 1000});
		run_worker($node, 'postgres', '20 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation <> 'pull'}) == 0;
	}
}
sub pull { value(q{UPDATE zcsync.streams SET next_pull_at = now()}); work(); }
sub writes { my ($seq) = @_; return grep { $_->{seq} > $seq } @{ $simulator->get('ledger', vendor => 'zendesk')->{writes} }; }
sub last_write { my @all = writes(0); return @all ? $all[-1]{seq} : 0; }
sub what { return join ', ', map { $_->{operation} } writes($_[0]); }
sub duplicates { return $simulator->get('stats')->{duplicates}{zendesk}{marker}{duplicates} // 0; }
# Requests for tickets since the last look.
my $seen = 0;
sub requests
{
	my @all = grep { $_->{seq} > $seen } @{ $simulator->get('requests', vendor => 'zendesk', limit => 1000000)->{requests} };

	$seen = $all[-1]{seq} if @all;
	return grep { $_->{path} =~ m{/api/v2/tickets(?:/\d+)?$} } @all;
}
sub body { my ($request) = @_; return decode_json(encode('UTF-8', $request->{body}))->{ticket}; }
sub sent { return join ', ', map { $_->{method} . ($_->{query} =~ /external_id/ ? ' by external_id' : '') . ' ' . $_->{status} } requests(); }
# one ticket as the vendor has it
sub ticket { my ($id) = @_; my ($ticket) = grep { $_->{id} == $id } @{ $simulator->get('state/tickets', account => 'acme', limit => 1000)->{tickets} }; return $ticket; }
sub row { my ($subject, $columns) = @_; return value(sprintf "SELECT %s FROM zcsync.tickets WHERE subject = '%s'", $columns, $subject); }
sub dead { return value(q{SELECT coalesce(string_agg(concat_ws('|', t.subject, d.class, d.status, d.message, d.hint), E'\n' ORDER BY d.job_id), '')
	FROM zcsync.dead_letters d LEFT JOIN zcsync.tickets t USING (local_id)}); }
sub edit { my ($id, %fields) = @_; return $simulator->post('edit', { account => 'acme', id => $id, fields => \%fields }); }

value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise"}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, $simulator->zendesk);
value(q{SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
	SELECT zcsync.add_stream('acme', kind) FROM unnest('{fields,statuses}'::text[]) kind;
	SELECT zcsync.alter_stream('acme/tickets', writes => true)});
work();
is(value(q{SELECT count(*) FROM zcsync.tickets}), 30, 'all tickets are here');
cmp_ok(value(q{SELECT count(*) FROM zcsync.fields}), '>', 10, 'and the fields');
is(what(0), '', 'nothing was written');
my %field = map { split /\|/ } split /\n/, value(q{SELECT type, remote_id FROM zcsync.fields});
my ($agent) = split /\n/, value(q{SELECT assignee_id FROM zcsync.tickets WHERE assignee_id IS NOT NULL ORDER BY local_id LIMIT 1});
my ($person) = split /\n/, value(q{SELECT requester_id FROM zcsync.tickets WHERE requester_id IS NOT NULL ORDER BY local_id LIMIT 1});
my ($group) = split /\n/, value(q{SELECT group_id FROM zcsync.tickets WHERE group_id IS NOT NULL ORDER BY local_id LIMIT 1});

# ---------------------------------------------------------------------
# Making tickets
# ---------------------------------------------------------------------
requests();
value(qq{INSERT INTO zcsync.tickets (account_id, subject, description, status, priority, type, requester_id, assignee_id, group_id, tags, due_at, custom_fields)
	VALUES (zcsync.account('acme'), 'Full', E'Line \\U0001F41E <b>\\n\\u0645\\u0631\\u062d\\u0628\\u0627', 'Open', 'HIGH', 'task', '$person', '$agent', '$group', '{VIP,zcsync,a b}', '2026-12-24 18:00:00.7+00',
		'{"$field{text}": "x", "$field{integer}": "12", "$field{decimal}": 12.50, "$field{date}": "2026-12-24", "$field{checkbox}": "yes", "$field{tagger}": "Portal", "$field{multiselect}": ["Frontend", "components_backend"], "$field{regexp}": "AT-00001"}')});
value(q{INSERT INTO zcsync.tickets (account_id, subject, requester_id) VALUES (zcsync.account('acme'), 'By mail', 'New.Person@example.com'), (zcsync.account('acme'), 'Plain', NULL)});
work();
is(dead(), '', 'all are accepted');
is(what(0), 'create, create, create', 'three creates and nothing else');
my @requests = requests();
is(join(' ', map { $_->{method} } @requests), 'POST POST POST', 'a request each');
my ($full) = grep { body($_)->{subject} eq 'Full' } @requests;
my $key = row('Full', 'sync_key');
my ($write) = grep { ($_->{marker} // '') eq $key } writes(0);
is($write->{idempotency_key}, $key, 'with an idempotency key');
is(body($full)->{external_id}, "zcsync-$key", 'and the mark');
is(row('Full', q{sync_state, status, priority, type, requester_id, assignee_id, group_id, tags, due_at AT TIME ZONE 'UTC', external_id = 'zcsync-' || sync_key, created_at IS NOT NULL}),
	"synced|open|high|task|$person|$agent|$group|{a_b,vip,zcsync}|2026-12-24 18:00:00|t|t", 'in the vendor\'s form');
is(row('Full', "custom_fields = '{\"$field{text}\": \"x\", \"$field{integer}\": 12, \"$field{decimal}\": \"12.5\", \"$field{date}\": \"2026-12-24\", \"$field{checkbox}\": true, \"$field{tagger}\": \"product_portal\", \"$field{multiselect}\": [\"components_backend\", \"components_frontend\"], \"$field{regexp}\": \"AT-00001\"}'"),
	't', 'custom fields by their types') or diag row('Full', 'custom_fields');
is(value(q{SELECT email FROM zcsync.tickets t JOIN zcsync.contacts c ON c.remote_id = t.requester_id WHERE subject = 'By mail'}), '', 'a requester by e-mail');
is(row('Plain', 'description'), 'Plain', 'the first comment is the subject where there is no text');
my $seq = last_write();
my $changes = value('SELECT count(*) FROM zcsync.changes');
pull();
is(what($seq), '', 'the echo is not answered');
is(value(q{SELECT count(*) FROM zcsync.changes WHERE kind = 'tickets'}), $changes, 'and is no change');
is(value(q{SELECT c.email FROM zcsync.tickets t JOIN zcsync.contacts c ON c.remote_id = t.requester_id WHERE subject = 'By mail'}), 'New.Person@example.com', 'the requester came with it');

# ---------------------------------------------------------------------
# Changing them
# ---------------------------------------------------------------------
requests();
value(qq{UPDATE zcsync.tickets SET status = 'pending', priority = NULL, assignee_id = NULL, due_at = NULL, type = 'question', tags = '{zcsync,new}',
	custom_fields = custom_fields - '$field{text}' || '{"$field{integer}": 13, "$field{multiselect}": [], "$field{checkbox}": false}' WHERE subject = 'Full'});
work();
is(dead(), '', 'a change of everything is accepted');
@requests = requests();
is(join(' ', map { $_->{method} } @requests), 'PUT', 'one request');
is(join(' ', sort keys %{ body($requests[0]) }), 'assignee_id custom_fields due_at priority safe_update status tags type updated_stamp', 'only what differs, and what it was made for');
is(row('Full', 'sync_state, status, priority, type, assignee_id, due_at, tags'), 'synced|pending||question|||{new,zcsync}', 'as the vendor has it');
$seq = last_write();
pull();
is(what($seq), '', 'quiet');

done_testing();
