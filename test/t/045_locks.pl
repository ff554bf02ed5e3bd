# Users hold locks on rows for as long as they like.  What they hold waits,
# everything else goes on, and nothing is lost or made twice.

use strict;
use warnings;

use PostgreSQL::Test::BackgroundPsql;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 60);
my ($node, $simulator) = ($flow->node, $flow->simulator);

$flow->mirror;
$flow->route;
$flow->backfill;
$flow->settle('all tasks are made');

my @bugs = map { [ split /\|/ ] } split /\n/, $flow->value(q{SELECT t.remote_id, k.remote_id, k.local_id
	FROM zcsync.links AS l JOIN zcsync.tickets AS t ON t.local_id = l.source_id JOIN zcsync.tasks AS k ON k.local_id = l.target_id ORDER BY t.local_id});

sub user { my $user = $node->background_psql('postgres', on_error_stop => 1); $user->query_safe('BEGIN'); return $user; }
sub commit { $_[0]->query_safe('COMMIT'); $_[0]->quit; return; }
sub edit { $simulator->post('edit', { account => 'acme', id => 0 + $_[0][0], fields => { subject => $_[1] } }); return; }
sub named { return "SELECT EXISTS (SELECT FROM zcsync.tasks WHERE remote_id = '$_[0][1]' AND name = '$_[1]' AND sync_state = 'synced')"; }
sub at_clickup { my ($bug) = @_; $flow->load_vendors; return $flow->value("SELECT doc ->> 'name' FROM vendor_tasks WHERE id = '$bug->[1]'"); }
sub waits { my ($query, $what) = @_; return wait_until($node, 'postgres', $query, $what); }

# A ticket is held.
my $cursor = $flow->value(q{SELECT live_cursor FROM zcsync.streams WHERE kind = 'tickets'});
my $user = user();
$user->query_safe("SELECT FROM zcsync.tickets WHERE remote_id = '$bugs[0][0]' FOR UPDATE");
edit($bugs[$_], "First $_") for 0 .. 5;
waits(named($bugs[$_], "First $_"), "ticket $_ goes on") for 1 .. 5;
is($flow->value("SELECT state FROM zcsync.sync_queue WHERE operation = 'apply'"), 'ready', 'the one that is held waits');
isnt($flow->value(q{SELECT live_cursor FROM zcsync.streams WHERE kind = 'tickets'}), $cursor, 'the cursor went on');
edit($bugs[0], 'Second 0');
edit($bugs[1], 'Second 1');
waits(named($bugs[1], 'Second 1'), 'later pages go on, too');
isnt($flow->value("SELECT subject FROM zcsync.tickets WHERE remote_id = '$bugs[0][0]'"), 'Second 0', 'the row is as its holder knows it');
commit($user);
waits(named($bugs[0], 'Second 0'), 'then that one follows');
is(at_clickup($bugs[0]), 'Second 0', 'up to ClickUp');

# A task is held, the target of a ticket that changes.
$user = user();
$user->query_safe("SELECT FROM zcsync.tasks WHERE remote_id = '$bugs[0][1]' FOR UPDATE");
edit($bugs[$_], "Third $_") for 0 .. 3;
waits(named($bugs[$_], "Third $_"), "task $_ goes on") for 1 .. 3;
is($flow->value("SELECT subject FROM zcsync.tickets WHERE remote_id = '$bugs[0][0]'"), 'Third 0', 'the ticket itself is stored');
commit($user);
waits(named($bugs[0], 'Third 0'), 'then that task follows');

# A task is held while ClickUp makes it, and its holder edits it.
my $last = $flow->last_write;
$simulator->post('faults', { vendor => 'clickup', method => 'POST', path => '/task$', fault => 'delay', delay_ms => 6000 });
$simulator->post('create', { account => 'acme', fields => { subject => 'New', comment => { body => 'It is new.' }, tags => ['bug'] } });
waits("SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'running' AND unclear_since IS NOT NULL)", 'a create is on its way');
$user = user();
my $local = $user->query_safe(q{SELECT local_id FROM zcsync.tasks WHERE remote_id IS NULL AND name = 'New' FOR UPDATE});
like($local, qr/^\d+$/, 'its row is there to be edited');
$user->query_safe("UPDATE zcsync.tasks SET name = 'Edited while it is made' WHERE local_id = $local");
wait_for(sub { $flow->writes($last)->{create} }, 'ClickUp makes it');
$flow->polls(2);
is($flow->writes($last)->{create}, 1, 'once');
is($flow->value("SELECT state FROM zcsync.sync_queue WHERE local_id = $local"), 'running', 'its job waits for the holder');
edit($bugs[2], 'Fourth');
waits(named($bugs[2], 'Fourth'), 'others go on');
commit($user);
waits(qq{SELECT EXISTS (SELECT FROM zcsync.tasks WHERE local_id = $local AND remote_id IS NOT NULL AND sync_state = 'synced')}, 'then it is recorded');
$flow->settle('and sent');
is($flow->value("SELECT count(*) FROM zcsync.tasks WHERE name IN ('New', 'Edited while it is made')"), 1, 'it is there once');
is_deeply([ @{ $flow->writes($last) }{qw(create update)} ], [ 1, 2 ], 'made once, and edited');
$flow->load_vendors;
is($flow->value(qq{SELECT v.doc ->> 'name' FROM vendor_tasks AS v JOIN zcsync.tasks AS t ON t.remote_id = v.id WHERE t.local_id = $local}),
	'Edited while it is made', 'the edit is at ClickUp');

# A push fails while the same row is written in a transaction that goes on.
my $bug = $bugs[3];
my $requests = $simulator->get('stats')->{requests};
$simulator->post('faults', { vendor => 'clickup', method => 'PUT', path => "/task/$bug->[1]", fault => 'hang', seconds => 4 });
$flow->value("UPDATE zcsync.tasks SET name = 'Fifth' WHERE remote_id = '$bug->[1]'");
waits("SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE local_id = $bug->[2] AND state = 'running')", 'an update is on its way');
$user = user();
$user->query_safe("UPDATE zcsync.tasks SET points = 7 WHERE remote_id = '$bug->[1]'");
$flow->polls(2);
edit($bugs[4], 'Fifth 4');
waits(named($bugs[4], 'Fifth 4'), 'others go on');
# ClickUp hangs up after four seconds, and nothing shows here that it did: the worker sees it in its next round
wait_for(sub { grep { $_->{method} eq 'PUT' && $_->{path} =~ m{/task/$bug->[1]$} && defined $_->{status} } $flow->requests(vendor => 'clickup', since => $requests) },
	'the update ends without a reply');
wait_for_rounds(worker_pid($node, 'postgres'), 3);
is($flow->value("SELECT count(*) FROM zcsync.sync_queue WHERE local_id = $bug->[2]"), 1, 'the job is still there');
commit($user);
waits(named($bug, 'Fifth'), 'then it is sent');
$flow->settle('all of it');
$flow->load_vendors;
is($flow->value("SELECT concat_ws(', ', doc ->> 'name', doc ->> 'points') FROM vendor_tasks WHERE id = '$bug->[1]'"), 'Fifth, 7', 'with both edits');

# The same, rolled back.
$simulator->post('faults', { vendor => 'clickup', method => 'PUT', path => "/task/$bug->[1]", fault => 'hang', seconds => 1 });
$flow->value("UPDATE zcsync.tasks SET name = 'Sixth' WHERE remote_id = '$bug->[1]'");
waits("SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE local_id = $bug->[2] AND state = 'running')", 'an update is on its way');
$user = user();
$user->query_safe("UPDATE zcsync.tasks SET points = 8 WHERE remote_id = '$bug->[1]'");
$flow->polls(2);
$user->query_safe('ROLLBACK');
$user->quit;
waits(named($bug, 'Sixth'), 'it is sent after a rollback');
$flow->load_vendors;
is($flow->value("SELECT concat_ws(', ', doc ->> 'name', doc ->> 'points') FROM vendor_tasks WHERE id = '$bug->[1]'"), 'Sixth, 7', 'without what was rolled back');

# Jobs that somebody queued and did not commit: the worker can neither see
# them nor queue the same, and goes on with other things.
$user = user();
$user->query_safe("SELECT zcsync.pause_route(name), zcsync.resume_route(name), zcsync.refresh('dev/tasks') FROM zcsync.routes");
edit($bugs[4], 'Overtaken');
waits("SELECT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'apply')", 'the ticket of such a job waits');
# a new task, which waits for no read
$flow->value("INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT account_id, 'Beside', list_id FROM zcsync.tasks WHERE remote_id = '$bugs[5][1]'");
waits("SELECT sync_state = 'synced' FROM zcsync.tasks WHERE name = 'Beside'", 'another account goes on');
commit($user);
waits(named($bugs[4], 'Overtaken'), 'then that ticket follows');

# Somebody holds all jobs that wait to be sent, of which there is one, or the tables.
$flow->value(q{SELECT zcsync.pause_queue('task-sync')});
$flow->value("UPDATE zcsync.tasks SET name = 'Seventh' WHERE remote_id = '$bugs[5][1]'");
$user = user();
is($user->query_safe(q{SELECT local_id FROM zcsync.sync_queue WHERE operation = 'push' FOR UPDATE}), $bugs[5][2], 'a job is held');
$flow->value(q{SELECT zcsync.resume_queue('task-sync')});
edit($bugs[4], 'Seventh 4');
waits(named($bugs[4], 'Seventh 4'), 'later ones of its queue go on');
is($flow->value("SELECT state || ' ' || attempts FROM zcsync.sync_queue WHERE local_id = $bugs[5][2] AND operation = 'push'"), 'ready 0', 'it waits');
isnt(at_clickup($bugs[5]), 'Seventh', 'and is not sent');
commit($user);
waits(named($bugs[5], 'Seventh'), 'then it is');
for my $mode ('SHARE', 'ACCESS EXCLUSIVE')
{
	$user = user();
	$user->query_safe("LOCK TABLE zcsync.tasks, zcsync.tickets, zcsync.sync_queue IN $mode MODE");
	edit($bugs[5], "Held in $mode mode");
	waits("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation IN ('zcsync.tasks'::regclass, 'zcsync.tickets'::regclass, 'zcsync.sync_queue'::regclass))",
		"a worker waits for tables held in $mode mode");
	commit($user);
	waits(named($bugs[5], "Held in $mode mode"), "then it goes on");
}

$bug = $flow->value("SELECT count(*) FROM zcsync.links");
$flow->value(q{UPDATE zcsync.tasks AS k SET name = btrim(t.subject) FROM zcsync.links AS l JOIN zcsync.tickets AS t ON t.local_id = l.source_id WHERE k.local_id = l.target_id});
$flow->settle('all is through');
$flow->agree('in the end');
is($flow->writes->{create}, $bug + 1, 'one create for each, and for the new task');
is(log_lines($node, 'FATAL|PANIC|ERROR|deadlock'), 0, 'no error in the log');
$node->stop;
done_testing();
