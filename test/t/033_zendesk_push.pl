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
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');
$simulator->post('settings', { lenient_solve => 1 });	# not what this is about
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
# somebody changes a ticket at the vendor; times there are in whole seconds
sub later { $simulator->post('clock', { advance_seconds => 2 }); }
sub edit { my ($id, %fields) = @_; later(); $simulator->post('edit', { account => 'acme', id => $id, fields => \%fields }); later(); }

value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise"}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, $simulator->zendesk);
value(q{SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 hour');
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
	"synced|open|high|task|$person|$agent|$group|{a_b,components_backend,components_frontend,contract_customer,product_portal,vip,zcsync}|2026-12-24 18:00:00|t|t", 'in the vendor\'s form');
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


# ---------------------------------------------------------------------
# Somebody else was faster: 409
# ---------------------------------------------------------------------
my $id = row('Full', 'remote_id');
requests();
edit($id, priority => 'urgent');
value(q{UPDATE zcsync.tickets SET status = 'hold' WHERE subject = 'Full'});
work();
is(sent(), 'PUT 409, GET 200, PUT 200', 'another column: read again, merged, sent again');
is(row('Full', 'sync_state, status, priority'), 'synced|hold|urgent', 'both changes are here');
is(join('|', @{ ticket($id) }{qw(status priority)}), 'hold|urgent', 'and there');
is(value(q{SELECT count(*) FROM zcsync.changes WHERE action = 'lost'}), 0, 'nothing was lost');
is(dead(), '', 'and nothing failed');

edit($id, subject => 'Theirs', tags => [ 'theirs' ]);
value(q{UPDATE zcsync.tickets SET subject = 'Mine', tags = '{mine}', type = 'incident' WHERE subject = 'Full'});
work();
is(sent(), 'PUT 409, GET 200, PUT 200', 'the same column');
is(row('Theirs', 'sync_state, type, tags'), 'synced|incident|{mine,theirs}', 'what was changed there stays, the rest is sent');
is(join('|', @{ ticket($id) }{qw(subject type)}), 'Theirs|incident', 'as it is there');
is(value(q{SELECT old, new FROM zcsync.changes WHERE action = 'lost'}), '{"subject": "Mine"}|{"subject": "Theirs"}', 'the value that lost is kept in the history');
pull();
is(sent(), '', 'quiet');

# again and again: it comes to an end, and the row says so
$simulator->post('faults', { vendor => 'zendesk', fault => 'status', status => 409, body => { error => 'DatabaseConflict', description => 'Database collision' }, method => 'PUT', count => 3 });
value(q{UPDATE zcsync.tickets SET status = 'open' WHERE subject = 'Theirs'});
work();
is(sent(), 'PUT 409, GET 200, PUT 409, GET 200, PUT 409', 'three attempts');
like(dead(), qr/^Theirs\|conflict\|409\|DatabaseConflict: Database collision\|Somebody changed the ticket at the same time/, 'a dead letter');
is(row('Theirs', 'sync_state, status'), 'failed|open', 'the local value is not lost');
value(q{SELECT zcsync.retry(job_id) FROM zcsync.dead_letters});
work();
is(row('Theirs', 'sync_state') . ' ' . sent(), 'synced PUT 200', 'and is sent when it is tried again');

# An update whose reply was lost was applied: it is not sent twice.
$simulator->post('faults', { vendor => 'zendesk', fault => 'reset_after', method => 'PUT' });
$seq = last_write();
later();
value(q{UPDATE zcsync.tickets SET status = 'solved', priority = 'low' WHERE subject = 'Theirs'});
work();
is(what($seq), 'update', 'a lost reply: applied once');
is(row('Theirs', 'sync_state, status, priority'), 'synced|solved|low', 'and found so');
is(value(q{SELECT count(*) FROM zcsync.changes WHERE action = 'lost'}), 1, 'nothing was lost');

# And what was written here since is not taken for older than that, whether a
# page or the ticket itself shows it first.
for my $first ('the ticket', 'a page')
{
	$simulator->post('faults', { vendor => 'zendesk', fault => 'reset_after', method => 'PUT' });
	later();
	value(q{UPDATE zcsync.tickets SET status = 'open', tags = '{B,a}' WHERE subject = 'Theirs'});
	run_worker($node, 'postgres', '2 s');
	value(q{UPDATE zcsync.tickets SET status = 'solved', tags = '{c}' WHERE subject = 'Theirs'});
	if ($first eq 'a page')
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() + interval '1 hour' WHERE operation = 'push';
			UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL;
			UPDATE zcsync.streams SET next_pull_at = now()});
		run_worker($node, 'postgres', '3 s');
		is(row('Theirs', q{base ->> 'status', status, sync_state}), 'open|solved|pending', "$first shows what was sent");
	}
	work();
	is(row('Theirs', 'sync_state, status, tags'), 'synced|solved|{c}', "$first was seen first: the last value here stays");
	is(join('|', ticket($id)->{status}, @{ ticket($id)->{tags} }), 'solved|c', 'and is sent');
}
is(value(q{SELECT count(*) FROM zcsync.changes WHERE action = 'lost'}), 1, 'nothing was lost');

# ---------------------------------------------------------------------
# A create whose reply is lost: looked up, not repeated
# ---------------------------------------------------------------------
foreach my $fault ('reset_after', 'truncated_json')
{
	$simulator->post('faults', { vendor => 'zendesk', fault => $fault, method => 'POST', path => '/tickets$' });
	value("INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'Lost $fault')");
	$seq = last_write();
	requests();
	run_worker($node, 'postgres', '3 s');
	is(row("Lost $fault", 'remote_id'), '', "$fault: not known yet");
	is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE unclear_since IS NOT NULL}), 1, "$fault: its effect is unclear");
	# a page brings it meanwhile, as a row of its own; the row is edited, too
	value(q{UPDATE zcsync.streams SET next_pull_at = now()});
	run_worker($node, 'postgres', '3 s');
	value(qq{UPDATE zcsync.tickets SET priority = 'high' WHERE subject = 'Lost $fault' AND remote_id IS NULL});
	work();
	like(sent(), qr/^POST (?:201|0|), GET by external_id 200, PUT 200$/, "$fault: looked up by its mark");
	is(what($seq), 'create, update', "$fault: created once");
	is(row("Lost $fault", q{count(*) || ' ' || min(sync_state) || ' ' || min(priority)}), '1 synced high', "$fault: one row");
}
is(duplicates(), 0, 'no duplicates at the vendor');

# One that was never applied is made after the look-up; one whose key is known
# with other values is looked up.
$simulator->post('faults', { vendor => 'zendesk', fault => 'reset_before', method => 'POST', path => '/tickets$' });
value(q{INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'Never arrived')});
work();
is(row('Never arrived', 'sync_state'), 'synced', 'created after all');
$simulator->post('faults', { vendor => 'zendesk', fault => 'reset_after', method => 'POST', path => '/tickets$' });
value(q{INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'Repeated')});
run_worker($node, 'postgres', '3 s');
requests();
value(q{UPDATE zcsync.sync_queue SET unclear_since = NULL; UPDATE zcsync.tickets SET priority = 'low' WHERE subject = 'Repeated'});
work();
is(sent(), 'POST 400, GET by external_id 200, PUT 200', 'a key that was used with other values: looked up');
is(row('Repeated', 'sync_state, priority'), 'synced|low', 'and found');
is(duplicates(), 0, 'once');
is(value(q{SELECT count(*) FROM zcsync.dead_letters}), 0, 'nothing failed');

# ---------------------------------------------------------------------
# What cannot be written
# ---------------------------------------------------------------------
requests();
my ($closed) = split /\n/, value(q{SELECT remote_id FROM zcsync.tickets WHERE status = 'closed' ORDER BY local_id LIMIT 1});
value(qq{UPDATE zcsync.tickets SET priority = 'low', subject = 'Over' WHERE remote_id = '$closed';
	INSERT INTO zcsync.tickets (account_id, subject, due_at) VALUES (zcsync.account('acme'), 'No task', '2027-01-01Z');
	INSERT INTO zcsync.tickets (account_id, subject, status) VALUES (zcsync.account('acme'), 'Bad status', 'Done')});
work();
is(sent(), '', 'nothing is sent that would be refused');
is(value(q{SELECT t.subject || ': ' || d.class || ': ' || d.message FROM zcsync.dead_letters d JOIN zcsync.tickets t USING (local_id) ORDER BY 1}),
	"Bad status: rejected: cannot be sent to Zendesk: \"Done\" is not a valid status\n"
	. "No task: rejected: cannot be sent to Zendesk: only a ticket of type \"task\" has a due_at\n"
	. "Over: rejected: cannot be sent to Zendesk: a closed ticket cannot be changed", 'each with a reason');
is(value(q{SELECT count(*) FROM zcsync.errors}), 3, 'they are among the errors');
is(row('Over', 'sync_state'), 'failed', 'the rows say so');
# one that was closed a moment ago
edit(row('Plain', 'remote_id'), status => 'closed');
value(q{UPDATE zcsync.tickets SET priority = 'low' WHERE subject = 'Plain'});
work();
like(sent(), qr/^PUT 4\d\d/, 'closed meanwhile');
like(value(q{SELECT d.message || ' ' || d.hint FROM zcsync.dead_letters d JOIN zcsync.tickets t USING (local_id) WHERE t.subject = 'Plain'}), qr/closed.* new (?:one|ticket)/, 'a reason and a hint');
value(q{UPDATE zcsync.tickets SET due_at = NULL WHERE subject = 'No task'; UPDATE zcsync.tickets SET status = 'pending' WHERE subject = 'Bad status'});
work();
is(value(q{SELECT string_agg(sync_state, ' ') FROM zcsync.tickets WHERE subject IN ('No task', 'Bad status')}), 'synced synced', 'a change of the row tries anew');
is(value(q{SELECT state FROM zcsync.accounts}), 'active', 'the account goes on');

# Without the scope to write.
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme"}');
	UPDATE zcsync.tickets SET priority = 'urgent' WHERE subject = 'No task'});
work();
like(value(q{SELECT concat_ws('|', d.class, d.status, d.message, d.hint) FROM zcsync.dead_letters d JOIN zcsync.tickets t USING (local_id) WHERE t.subject = 'No task' ORDER BY d.job_id DESC LIMIT 1}),
	qr/^rejected\|403\|Forbidden.*\|Writing needs the OAuth scope "read write": .*set_credentials\('acme'/, 'the scope is missing: a hint what to do');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}'); SELECT zcsync.retry(job_id) FROM zcsync.dead_letters WHERE status = 403});
work();
is(row('No task', 'sync_state, priority'), 'synced|urgent', 'with it the write goes through');
# with many: one alert, and they are held
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme"}');
	UPDATE zcsync.tickets SET tags = tags || '{held}' WHERE status IN ('open', 'pending') AND sync_state = 'synced'});
my $held = value(q{SELECT count(*) FROM zcsync.tickets WHERE sync_state = 'pending'});
cmp_ok($held, '>', 5, "$held tickets are edited");
requests();
value(q{UPDATE zcsync.sync_queue SET failures = 0});
work(3);
cmp_ok(scalar(grep { $_->{method} eq 'PUT' } requests()), '<=', 2 * $held, 'refused once or twice each');
is(value(q{SELECT string_agg(DISTINCT state, ' ') || ' ' || count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), "held $held", 'all are held');
like(value(q{SELECT string_agg(message || '|' || hint, E'\n') FROM zcsync.alerts WHERE code = 'write_refused' AND resolved_at IS NULL}),
	qr/^zendesk refuses to write tickets of account "acme": Forbidden.*\|Writing needs the OAuth scope "read write".*release_held\('acme'\)[^\n]*$/, 'with one alert');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}'); SELECT zcsync.release_held('acme')});
work();
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE sync_state = 'synced' AND tags @> '{held}'}), $held, 'then they are sent');

# ---------------------------------------------------------------------
# Limits
# ---------------------------------------------------------------------
sub budget { my ($class, $columns) = @_; return value("SELECT $columns FROM zcsync.account_budgets WHERE class = '$class'"); }
sub fresh { value(q{UPDATE zcsync.account_budgets SET paused_until = NULL, tokens = 5, throttled_total = 0, remote_limit = NULL, remote_remaining = NULL, remote_reset_at = NULL,
	calls = coalesce(lowered_from, calls), lowered_from = NULL, lowered_at = NULL;
	UPDATE zcsync.sync_queue SET run_at = now()}); }
my $paused = q{paused_until > now() + interval '5 seconds'};

$simulator->post('limits', { vendor => 'zendesk', plan => 'enterprise' });
fresh();
value(q{UPDATE zcsync.tickets SET priority = 'low' WHERE subject = 'No task'});
run_worker($node, 'postgres', '5 s');
is(budget('api', q{remote_limit, remote_remaining < 700}), '700|t', 'what the headers say of all calls belongs to their budget');
is(budget('write', 'remote_limit, remote_remaining'), '100|99', 'and of changes to that of writes');

# those of writes are used up
$simulator->post('limits', { vendor => 'zendesk', class => 'ticket_updates', calls => 1, seconds => 30 });
fresh();
value(q{UPDATE zcsync.tickets SET priority = 'high' WHERE subject IN ('No task', 'Bad status', 'Repeated')});
run_worker($node, 'postgres', '3 s');
is(budget('write', "$paused, throttled_total > 0"), 't|t', 'writes pause');
is(budget('api', "coalesce($paused, false), throttled_total"), 'f|0', 'other calls do not');
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready' AND failures = 0}), 2, 'the jobs wait, and have not failed');
$simulator->post('limits', { vendor => 'zendesk', class => 'ticket_updates', calls => undef });
fresh();
run_worker($node, 'postgres', '5 s');
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE priority = 'high' AND sync_state = 'synced' AND subject IN ('No task', 'Bad status', 'Repeated')}), 3, 'and go on');

# one ticket was changed too often: only that one waits
$simulator->post('limits', { vendor => 'zendesk', class => 'one_ticket', calls => 1, seconds => 600 });
fresh();
value(q{UPDATE zcsync.tickets SET priority = 'low' WHERE subject = 'No task'});
run_worker($node, 'postgres', '3 s');
value(q{UPDATE zcsync.tickets SET priority = 'normal' WHERE subject IN ('No task', 'Bad status')});
run_worker($node, 'postgres', '3 s');
is(row('No task', 'sync_state') . ' ' . row('Bad status', 'sync_state'), 'pending synced', 'one ticket has had too many changes');
is(budget('write', "coalesce($paused, false)"), 'f', 'the others need not wait');
is(value(q{SELECT run_at > now() + interval '5 minutes', failures FROM zcsync.sync_queue WHERE operation = 'push'}), 't|0', 'it does, as long as the vendor says');
$simulator->post('limits', { vendor => 'zendesk', class => 'one_ticket', calls => undef });

# all calls are used up
$simulator->post('limits', { vendor => 'zendesk', class => 'account', calls => 1, seconds => 30 });
fresh();
value(q{UPDATE zcsync.tickets SET priority = 'urgent' WHERE subject IN ('Repeated', 'Bad status')});
run_worker($node, 'postgres', '3 s');
is(budget('api', $paused), 't', 'all calls pause');
$simulator->post('limits', { vendor => 'zendesk', plan => 'none' });
fresh();
work();
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE sync_state NOT IN ('synced', 'failed')}), 0, 'in the end all are sent');
is(duplicates(), 0, 'nothing twice');

# ---------------------------------------------------------------------
# Each request is one that the vendor's own document allows
# ---------------------------------------------------------------------
SKIP:
{
	my $documents = Simulator::OpenAPI->load;
	skip "the vendors' documents are not here", 2 if !$documents || !$documents->documents->{zendesk};
	my @all = grep { $_->{status} && $_->{path} =~ m{/api/v2/tickets} } @{ $simulator->get('requests', vendor => 'zendesk', limit => 1000000)->{requests} };
	my %wrong;

	$wrong{$_}++ for map { $documents->check_request('zendesk', $_->{method}, $_->{path}, $_->{query}, encode('UTF-8', $_->{body} // '')) } @all;
	is(join("\n", sort keys %wrong), '', scalar(@all) . ' requests for tickets are valid');
	my %seen = map { $_->{method} => 1 } @all;
	is(join(' ', sort keys %seen), 'GET POST PUT', 'of all kinds');
}

# Somebody holds the row when the reply comes: nobody waits for them, nothing is
# sent twice.
my $holder = $node->background_psql('postgres');
my $worker = $node->background_psql('postgres');
value(q{INSERT INTO zcsync.tickets (account_id, subject) VALUES (zcsync.account('acme'), 'Held')});
value(q{UPDATE zcsync.tickets SET priority = 'low' WHERE subject = 'Repeated'});
$seq = last_write();
$holder->query_safe(q{BEGIN; SELECT FROM zcsync.tickets WHERE subject IN ('Held', 'Repeated') FOR UPDATE});
$worker->query_until(qr/begin/, "\\echo begin\nCALL zcsync.run('5 s');\n\\echo end\n");
for (1 .. 600)
{
	last if writes($seq) >= 2;
	select undef, undef, undef, 0.1;
}
is(join(', ', sort map { $_->{operation} } writes($seq)), 'create, update', 'both are sent');
is(row('Held', 'remote_id'), '', 'the reply for a row that is held is not recorded');
$holder->query_safe('COMMIT');
wait_until($node, 'postgres', q{SELECT bool_and(sync_state = 'synced') FROM zcsync.tickets WHERE subject IN ('Held', 'Repeated')}, 'until the row is free');
$worker->quit;
$holder->quit;
is(join(', ', sort map { $_->{operation} } writes($seq)), 'create, update', 'nothing was sent twice');

is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
