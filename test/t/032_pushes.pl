# Rows of tasks and their tasks at a simulated ClickUp: created, changed,
# looked up, refused; each once, and quiet afterwards.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 12, '--clickup-plan', 'enterprise');
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');
add_simulated_accounts($node, 'postgres', $simulator);

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub work { value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'}); run_worker($node, 'postgres', '20 s'); }
sub pull { value(q{UPDATE zcsync.streams SET next_pull_at = now()}); work(); }
sub writes { my ($seq) = @_; return grep { $_->{seq} > $seq } @{ $simulator->get('ledger', vendor => 'clickup')->{writes} }; }
sub last_write { my @all = writes(0); return @all ? $all[-1]{seq} : 0; }
# what a write did: "POST task", "DELETE tag", ...
sub what { my ($write) = @_; return "$write->{method} " . ($write->{path} =~ m{/(field|tag)/} ? $1 : 'task'); }
sub creates { my ($seq) = @_; return scalar grep { what($_) eq 'POST task' } writes($seq); }
sub duplicates { return $simulator->get('stats')->{duplicates}{clickup}{marker}{duplicates}; }
# one task as the vendor has it
sub task { my ($id) = @_; my ($task) = grep { $_->{id} eq $id } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 1000)->{tasks} }; return $task; }
sub row { my ($name, $columns) = @_; return value(sprintf "SELECT %s FROM zcsync.tasks WHERE name = '%s'", $columns, $name); }
# rows whose values are not those of the task's document
my $unequal = q{SELECT count(*) FROM zcsync.tasks t WHERE t.base IS NULL OR sync_state <> 'synced'
	OR t.name IS DISTINCT FROM t.base ->> 'name' OR t.status IS DISTINCT FROM t.base ->> 'status' OR t.custom_fields <> t.base -> 'custom_fields'};

my $info = $simulator->get('info')->{clickup}{dev};
my $list = $info->{lists}{Bugs};

# Reading: everything, with fields and statuses of all lists.
value(q{UPDATE zcsync.accounts SET settings = settings || '{"plan": "enterprise"}' WHERE name = 'dev'; SELECT zcsync._make_budgets(zcsync.account('dev'))});
value(q{SELECT zcsync.add_stream('dev', 'tasks', since => '2020-01-01')});
value(q{SELECT zcsync.add_stream('dev', kind) FROM unnest('{fields,statuses}'::text[]) kind});
value(q{SELECT zcsync.alter_stream('dev/tasks', writes => true)});
work();
is(value('SELECT count(*) FROM zcsync.tasks'), scalar(grep { $_->{list}{id} ne $info->{lists}{Management} } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 1000)->{tasks} }),
	'all tasks of shared lists are here');
is(value($unequal), 0, 'and synced');
is(value("SELECT string_agg(name, ', ' ORDER BY position) FROM zcsync.statuses WHERE scope_id = '$list'"), 'to do, in progress, in review, complete', 'statuses of a list');
is(value("SELECT string_agg(type, ' ' ORDER BY type) FROM zcsync.fields WHERE scope_id = '$list'"), 'checkbox date drop_down labels number text', 'fields of a list');
is(scalar(writes(0)), 0, 'nothing was written');
my %field = map { split /\|/ } split /\n/, value("SELECT type, split_part(remote_id, ':', 2) FROM zcsync.fields WHERE scope_id = '$list'");
my ($option, $option_name) = split /\|/, value("SELECT o ->> 'id', o ->> 'name' FROM zcsync.fields, jsonb_array_elements(options -> 'options') o WHERE scope_id = '$list' AND type = 'drop_down' LIMIT 1");

# Creating.
value(qq{INSERT INTO zcsync.tasks (account_id, name, description, list_id, status, priority, assignees, tags, due_at, custom_fields)
	VALUES (zcsync.account('dev'), 'Nasty', E'Line \\U0001F41E <b>\\n\\n\\u0645\\u0631\\u062d\\u0628\\u0627  \\n', '$list', 'In Progress', 2, '{183}', '{Bug,zcsync}', '2026-12-24 18:00+00',
		'{"$field{text}": "x", "$field{number}": 12.5, "$field{date}": "2026-12-24T18:00:00+00:00", "$field{checkbox}": true, "$field{drop_down}": "$option_name"}')});
value("INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT zcsync.account('dev'), 'Plain ' || i, '$list' FROM generate_series(1, 5) i");
work();
is(join(', ', map { what($_) } writes(0)), join(', ', ('POST task') x 6), 'six creates and nothing else');
is(value($unequal), 0, 'all synced');
is(row('Nasty', 'status, priority, assignees, tags, due_at AT TIME ZONE \'UTC\''), 'in progress|2|{183}|{bug,zcsync}|2026-12-24 18:00:00', 'in the vendor\'s form');
is(value("SELECT custom_fields = '{\"$field{text}\": \"x\", \"$field{number}\": 12.5, \"$field{date}\": \"2026-12-24T18:00:00+00:00\", \"$field{checkbox}\": true, \"$field{drop_down}\": \"$option\"}' FROM zcsync.tasks WHERE name = 'Nasty'"),
	't', 'the option by its id');
unlike(row('Nasty', 'description'), qr/zcsync-/, 'no mark in the row');
like(task(row('Nasty', 'remote_id'))->{description}, qr/\n\nzcsync-[0-9a-f-]{36}$/, 'but in the task');
my $seq = last_write();
pull();
is(scalar(writes($seq)), 0, 'the echo is not answered');
is(value(q{SELECT count(*) FROM zcsync.changes WHERE cause = 'pull'}), 0, 'and no change');

# Changing: only what differs, fields and tags one by one.
value(qq{UPDATE zcsync.tasks SET status = 'complete', assignees = '{}', due_at = NULL, description = 'https://acme.zendesk.com/agent/tickets/1', tags = '{zcsync,new}',
	custom_fields = custom_fields - '$field{text}' || '{"$field{number}": 13}' WHERE name = 'Nasty'});
work();
is(join(', ', map { what($_) } writes($seq)), 'PUT task, ' . join(', ', map { $_->[1] } sort { $a->[0] cmp $b->[0] } [ $field{text}, 'DELETE field' ], [ $field{number}, 'POST field' ])
	. ', POST tag, DELETE tag', 'one request for the task, one for each field and tag');
my $task = task(row('Nasty', 'remote_id'));
like($task->{description}, qr{^https://acme\.zendesk\.com/agent/tickets/1#zcsync-[0-9a-f-]{36}$}, 'the mark hides in the address');
is(value($unequal), 0, 'all synced');
is(row('Nasty', 'status_type, assignees, due_at, tags, description'), 'closed|{}||{new,zcsync}|https://acme.zendesk.com/agent/tickets/1', 'as the vendor has it, tags in its order');
$seq = last_write();
pull();
is(scalar(writes($seq)), 0, 'quiet');

# Edits that were taken back have nothing to send: they end when they are found,
# and one behind them does not wait.
value(q{UPDATE zcsync.tasks SET points = coalesce(points, 0) + 1; UPDATE zcsync.tasks SET points = (base ->> 'points')::numeric});
value(q{UPDATE zcsync.tasks SET points = 8 WHERE name = 'Plain 3'});
value(q{UPDATE zcsync.sync_queue SET priority = priority + 1 WHERE local_id = (SELECT local_id FROM zcsync.tasks WHERE name = 'Plain 3')});
cmp_ok(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), '>', 10, 'more jobs than may run at a time');
work();
is(join(', ', map { what($_) } writes($seq)), 'PUT task', 'the one edit that is left is sent');
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), 0, 'and the jobs of the others are gone');
$seq = last_write();

# Both sides at once: each column by itself.
$simulator->post('edit', { workspace => 'dev', id => row('Plain 1', 'remote_id'), fields => { priority => 1 } });
value(q{UPDATE zcsync.tasks SET points = 3 WHERE name = 'Plain 1'});
work();
pull();
is(row('Plain 1', 'priority, points, sync_state'), '1|3|synced', 'edits of both sides are kept');

# A create whose reply is lost: looked up, not repeated.
foreach my $fault ('reset_after', 'truncated_json')
{
	$simulator->post('faults', { vendor => 'clickup', fault => $fault, method => 'POST', path => '/task$' });
	value("INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'Lost $fault', '$list')");
	$seq = last_write();
	run_worker($node, 'postgres', '3 s');
	is(row("Lost $fault", 'remote_id'), '', "$fault: not known yet");
	is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE unclear_since IS NOT NULL}), 1, "$fault: its effect is unclear");
	# a page brings it meanwhile, as a row of its own
	value(q{UPDATE zcsync.streams SET next_pull_at = now()});
	run_worker($node, 'postgres', '3 s');
	# the look-up waits until a late request cannot arrive any more
	value(q{UPDATE zcsync.sync_queue SET run_at = now(); UPDATE zcsync.accounts SET breaker_until = NULL});
	run_worker($node, 'postgres', '5 s');
	wait_until($node, 'postgres', qq{SELECT sync_state = 'synced' FROM zcsync.tasks WHERE name = 'Lost $fault'}, "$fault: found");
	is(creates($seq), 1, "$fault: created once");
	is(row("Lost $fault", 'count(*)'), 1, "$fault: one row");
}
is(duplicates(), 0, 'no duplicates at the vendor');

# One that was never applied: created after the look-up.
$simulator->post('faults', { vendor => 'clickup', fault => 'reset_before', method => 'POST', path => '/task$' });
value("INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'Never arrived', '$list')");
run_worker($node, 'postgres', '3 s');
value(q{UPDATE zcsync.sync_queue SET run_at = now(); UPDATE zcsync.accounts SET breaker_until = NULL});
run_worker($node, 'postgres', '5 s');
is(row('Never arrived', 'sync_state'), 'synced', 'created after all');
is(duplicates(), 0, 'once');

# What the vendor refuses.
value(qq{INSERT INTO zcsync.tasks (account_id, name, list_id, status) VALUES (zcsync.account('dev'), 'No such status', '$list', 'nonsense'), (zcsync.account('dev'), 'Not shared', '$info->{lists}{Management}', NULL),
	(zcsync.account('dev'), 'Nowhere', NULL, NULL)});
work() for 1 .. 4;
is(value(q{SELECT t.name, d.class, d.message, d.hint FROM zcsync.dead_letters d JOIN zcsync.tasks t USING (local_id) WHERE t.name IN ('No such status', 'Not shared') ORDER BY 1}),
	"No such status|rejected|Status not found (CRTSK_001)|The list has no such status; zcsync.statuses shows those it has.\n"
	. "Not shared|rejected|Team not authorized (OAUTH_027)|Share the list (or its folder or space) with the user of the token.", 'a reason and a hint');
like(value(q{SELECT d.class || ' ' || d.message FROM zcsync.dead_letters d JOIN zcsync.tasks t USING (local_id) WHERE t.name = 'Nowhere'}), qr/^config request has no "list_id"$/, 'a task without a list');
is(value(q{SELECT string_agg(DISTINCT sync_state, ' ') FROM zcsync.tasks WHERE name IN ('No such status', 'Not shared', 'Nowhere')}), 'failed', 'the rows say so');
is(value(q{SELECT state FROM zcsync.accounts WHERE name = 'dev'}), 'active', 'the account goes on');
value(q{UPDATE zcsync.tasks SET status = 'to do' WHERE name = 'No such status'});
work();
is(row('No such status', 'sync_state'), 'synced', 'a change of the row tries anew');

# Somebody holds the row when the reply comes: nobody waits for them, nothing is
# lost, nothing is sent twice.
my $holder = $node->background_psql('postgres');
my $worker = $node->background_psql('postgres');
value("INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'Held', '$list')");
value(q{UPDATE zcsync.tasks SET points = 5 WHERE name = 'Plain 2'});
$seq = last_write();
$holder->query_safe(q{BEGIN; SELECT FROM zcsync.tasks WHERE name IN ('Held', 'Plain 2') FOR UPDATE});
$worker->query_until(qr/begin/, "\\echo begin\nCALL zcsync.run('2 min');\n\\echo end\n");
for (1 .. 600)
{
	last if writes($seq) >= 2;
	select undef, undef, undef, 0.1;
}
is(join(', ', sort map { what($_) } writes($seq)), 'POST task, PUT task', 'both are sent');
# others go on meanwhile, even if what was read of these rows waits for them, too
value(q{SELECT zcsync.refresh('dev/tasks')});
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'apply')}, 'what was read waits for the rows');
value("INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'Beside', '$list')");
wait_until($node, 'postgres', q{SELECT sync_state = 'synced' FROM zcsync.tasks WHERE name = 'Beside'}, 'another row does not wait');
is(row('Held', 'remote_id'), '', 'the reply for a row that is held is not recorded');
is(value(q{SELECT string_agg(DISTINCT q.state, ' ') FROM zcsync.sync_queue q JOIN zcsync.tasks USING (local_id) WHERE name IN ('Held', 'Plain 2')}), 'running', 'its job goes on');
$holder->query_safe('COMMIT');
wait_until($node, 'postgres', q{SELECT bool_and(sync_state = 'synced') FROM zcsync.tasks WHERE name IN ('Held', 'Plain 2')}, 'until the row is free');
$worker->quit;
$holder->quit;
is(join(', ', sort map { what($_) } writes($seq)), 'POST task, POST task, PUT task', 'nothing was sent twice');
is(duplicates(), 0, 'no duplicates at the vendor');

done_testing();
