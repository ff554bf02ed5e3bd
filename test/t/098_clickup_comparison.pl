# The daily comparison of all tasks with ClickUp: what is gone is looked up before
# it is marked, an archived task is not a deleted one, what was missed is read, and
# lists that lack too much are not believed.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 230, '--clickup-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');
add_simulated_accounts($node, 'postgres', $simulator);

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub control { my ($what, %arguments) = @_; return $simulator->post($what, { workspace => 'dev', %arguments }); }
sub work { return run_worker($node, 'postgres', '60 s'); }
sub requests { return @{ $simulator->get('requests', vendor => 'clickup', limit => 100000, @_)->{requests} }; }
sub last_request { my ($last) = sort { $b <=> $a } map { $_->{seq} } requests(); return $last // 0; }
sub compare { value(q{SELECT zcsync.compare('dev/tasks')}); return work(); }
sub gone { return value(q{SELECT coalesce(string_agg(remote_id, ',' ORDER BY remote_id COLLATE "C"), 'none') FROM zcsync.tasks WHERE deleted_at IS NOT NULL}); }
sub looked_up { my ($since) = @_; return join ',', sort map { m{/task/(\w+)$} ? $1 : () } map { $_->{path} } requests(since => $since); }
my $alerts = q{SELECT coalesce(string_agg(code || ' ' || object, ', ' ORDER BY code), 'none') FROM zcsync.alerts WHERE resolved_at IS NULL};
my $lists = $simulator->get('info')->{clickup}{dev}{lists};

value(q{SELECT zcsync.alter_account('dev', '{"plan": "enterprise", "budgets": {"api": {"calls": 100000, "window_s": 1}}}'); UPDATE zcsync.queues SET concurrency = 10});
value(q{SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 second')});
work();
is(value(q{SELECT history_state FROM zcsync.streams}), 'done', 'all is read');
value(q{SELECT zcsync.alter_stream('dev/tasks', pull_interval => '1 day'); UPDATE zcsync.streams SET next_pull_at = now() + interval '1 day'});
my @ids = split /\n/, value('SELECT remote_id FROM zcsync.tasks ORDER BY created_at, remote_id');
cmp_ok(scalar @ids, '>', 150, 'with more than a page of tasks');
value(q{CREATE TABLE kept AS SELECT local_id, xmin::text AS version FROM zcsync.tasks});
my $written = q{SELECT count(*) FROM kept JOIN zcsync.tasks t USING (local_id) WHERE t.xmin::text <> version};

# ------------------------------------------------------------ deleted there

my $before = last_request();
compare();
is(looked_up($before), '', 'nothing to look up');
is(value($written), 0, 'and nothing to write');
is(value(q{SELECT compare_cursor IS NULL AND compared_at > now() - interval '5 minutes' FROM zcsync.streams}), 't', 'it has come to its end');
is(scalar(grep { $_->{path} =~ m{/team/} } requests(since => $before)), int((@ids + 99) / 100), 'in as many pages as there are');
control('delete', id => $_) foreach @ids[ 10, 170 ];
compare();
is(gone(), join(',', sort @ids[ 10, 170 ]), 'what was deleted is marked');
is(value(qq{SELECT name IS NOT NULL AND remote IS NOT NULL FROM zcsync.tasks WHERE remote_id = '$ids[10]'}), 't', 'and keeps what it had');
is(value(qq{SELECT string_agg(action, ' ') FROM zcsync.changes WHERE new ? 'deleted_at' AND local_id = (SELECT local_id FROM zcsync.tasks WHERE remote_id = '$ids[10]')}), 'delete', 'its history says so');
control('restore', id => $ids[10]);
compare();
is(gone(), $ids[170], 'what comes back is back');

# ------------------------------------------------------------ within the budget

# Five calls an hour, of which the account uses four fifths: a comparison makes its
# calls, look-ups included, when there is one for it, and none more.
# One session works through it, by a clock of its own.
my $offset = 0;
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->set_query_timer_restart;
sub hours_on
{
	$offset += 3600 * $_[0];
	$simulator->post('clock', { offset_seconds => $offset });
	$session->query_safe("SET zcsync.clock_offset = $offset; CALL zcsync.run('10 s');");
	return;
}
my $budget = q{FROM zcsync.account_budgets b JOIN zcsync.accounts a USING (account_id) WHERE a.name = 'dev' AND b.class = 'api'};
my $spent = "SELECT b.calls_total $budget";
$before = last_request();
compare();
my $needed = requests(since => $before) + 1;
control('delete', id => $ids[15]);
value(q{SELECT zcsync.alter_account('dev', '{"budget_share": 0.8, "budgets": {"api": {"calls": 5, "window_s": 3600}}}')});
is(value("SELECT calls || ' ' || share || ' ' || tokens $budget"), '5 0.8 1', 'an account that may make four calls an hour');
my ($calls, @at) = value($spent);
$before = last_request();
value(q{SELECT zcsync.compare('dev/tasks')});
hours_on(0);
is(scalar(requests(since => $before)), 1, 'begins a comparison with one');
like(value(q{SELECT limited_by FROM zcsync.stat_budgets WHERE account = 'dev' AND class = 'api'}), qr{^budget api: }, 'and has to wait for the next');
is(value(q{SELECT compare_cursor IS NOT NULL FROM zcsync.streams}), 't', 'the comparison goes on from there');
push @at, 0;
for (1 .. 60)
{
	last if $session->query_safe(q{SELECT compare_cursor IS NULL AND NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation IN ('pull', 'fetch')) FROM zcsync.streams;}) eq 't';
	my $last = last_request();
	hours_on(1 / 6);
	push @at, map { $offset } requests(since => $last);
}
is(gone(), join(',', sort @ids[ 15, 170 ]), 'it comes to its end, and to what was deleted');
is(scalar(@at), $needed, "after as many calls as it always needs: $needed");
is(value($spent) - $calls, scalar(@at), 'each of which was taken from the budget');
is(scalar(grep { my $from = $_; grep({ $_ >= $from && $_ < $from + 3600 } @at) > 4 } @at), 0, 'never more than four in an hour');
is(scalar(grep { $_->{status} == 429 } requests(since => $before)), 0, 'none is refused');
$session->quit;
$simulator->post('clock', { offset_seconds => 0 });
value(q{SELECT zcsync.alter_account('dev', '{"budget_share": 0.9, "budgets": {"api": {"calls": 100000, "window_s": 1}}}')});
control('restore', id => $ids[15]);
compare();
is(gone(), $ids[170], 'with a larger budget it takes no time');

# ------------------------------------------------------------ archived

# Whether or not that moves date_updated.
control('edit', id => $ids[20], fields => { archived => 1 });
control('edit', id => $_, fields => { archived => 1 }, quiet => 1) foreach @ids[ 21 .. 60 ];
$before = last_request();
compare();
is(gone(), $ids[170], 'archived tasks are not deleted');
is(value($alerts), 'none', 'however many they are');
is(value('SELECT count(*) FROM zcsync.tasks WHERE archived'), 41, 'their rows say that they are archived');
is(looked_up($before), '', 'which the lists tell');
control('delete', id => $ids[20]);
control('edit', id => $ids[21], fields => { archived => 0 }, quiet => 1);
compare();
is(gone(), join(',', sort @ids[ 20, 170 ]), 'an archived task is deleted');
is(value(qq{SELECT archived FROM zcsync.tasks WHERE remote_id = '$ids[21]'}), 'f', 'another one is back');

# ------------------------------------------------------------ missing in a list only

# A task that a list lacks, or a single read, is there.
value('TRUNCATE kept; INSERT INTO kept SELECT local_id, xmin::text FROM zcsync.tasks');
$simulator->post('faults', { vendor => 'clickup', path => '/team/.*order_by=created', fault => 'empty_page', count => 1, skip => 1 });
$before = last_request();
compare();
is(value($alerts), 'records_missing dev/tasks', 'a list that is cut off raises an alert');
is(looked_up($before), '', 'and nothing is looked up');
is(value($written), 0, 'and nothing marked');
$simulator->no_faults;
compare();
is(value($alerts), 'none', 'until the next good one');
$simulator->post('faults', { vendor => 'clickup', path => "/task/$ids[30]", fault => 'status', status => 404, count => 0, body => { err => 'Task not found, deleted', ECODE => 'ITEM_013' } });
value(qq{SELECT zcsync.sync_task('dev/tasks/$ids[30]')});
for (1 .. 10)
{
	run_worker($node, 'postgres', '5 s');
	last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'fetch'}) == 0;
	value(q{UPDATE zcsync.sync_queue SET run_at = now()});
}
is(value(q{SELECT class FROM zcsync.dead_letters WHERE operation = 'fetch'}), 'not_found', 'a single read that says 404: who asked is told');
is(gone(), join(',', sort @ids[ 20, 170 ]), 'and the row stays');
$simulator->no_faults;

# A list that is not shared any more: more than can be believed.
control('edit_list', list => 'Bugs', shared => 0);
compare();
is(value($alerts), 'records_missing dev/tasks', 'a list that is not shared any more raises an alert');
is(gone(), join(',', sort @ids[ 20, 170 ]), 'and its tasks stay');
# some of it may be believed, and are looked up: who must not see a task is not told that it is gone
value(q{SELECT zcsync.alter_account('dev', '{"reconcile_limit": 1000}')});
compare();
value(q{UPDATE zcsync.sync_queue SET run_at = now()}), work() for 1 .. 4;
is(gone(), join(',', sort @ids[ 20, 170 ]), 'not even when each is looked up');
like(value(q{SELECT DISTINCT class || ' ' || message FROM zcsync.dead_letters WHERE operation = 'fetch' AND class <> 'not_found'}), qr/^rejected Team not authorized/, 'which says why they cannot be read');
control('edit_list', list => 'Bugs', shared => 1);

# A list is deleted, with its tasks; it does not keep the others from being read.
my $inbox = value("SELECT count(*) FROM zcsync.tasks WHERE list_id = '$lists->{Inbox}' AND deleted_at IS NULL");
control('remove_list', list => 'Inbox');
compare();
is(value("SELECT count(*) FROM zcsync.tasks WHERE list_id = '$lists->{Inbox}' AND deleted_at IS NOT NULL"), $inbox, 'tasks of a list that was deleted');
is(value(q{SELECT last_error IS NULL AND compare_cursor IS NULL FROM zcsync.streams}), 't', 'and the other lists are read on');

# ------------------------------------------------------------ missed here

my $missed = value("SELECT min(remote_id) FROM zcsync.tasks WHERE list_id = '$lists->{Bugs}' AND deleted_at IS NULL");
value(qq{SET session_replication_role = replica; DELETE FROM zcsync.tasks WHERE remote_id = '$missed'});
compare();
is(value(qq{SELECT count(*) FROM zcsync.tasks WHERE remote_id = '$missed'}), 1, 'what the mirror lacks is read');

# Once a day by itself.
$before = last_request();
value(q{UPDATE zcsync.streams SET next_pull_at = now()});
work();
is(scalar(grep { $_->{query} =~ m{order_by=created} } requests(since => $before)), 0, 'not with each reading');
value(q{UPDATE zcsync.streams SET next_pull_at = now(), compared_at = now() - interval '25 hours'});
work();
cmp_ok(scalar(grep { $_->{query} =~ m{order_by=created} } requests(since => $before)), '>', 0, 'but after a day');

# A stream of one list, without a history.
value(q{SELECT zcsync.remove_stream('dev/tasks'); SET session_replication_role = replica; DELETE FROM zcsync.tasks; RESET session_replication_role});
value(qq{SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$lists->{Bugs}"]}', pull_interval => '1 day')});
work();
my $new = control('create', list => 'Bugs', fields => { name => 'New' })->{id};
control('create', list => 'Requests', fields => { name => 'Elsewhere' });
compare();
is(value(q{SELECT string_agg(name, ', ') FROM zcsync.tasks}), 'New', 'leaves the past and other lists alone');
value(q{SET session_replication_role = replica; UPDATE zcsync.tasks SET created_at = created_at - interval '1 hour'});
control('delete', id => $new);
compare();
is(gone(), $new, 'and sees what is deleted in its list');

# Who asks for what cannot be done.
value(q{SELECT count(*) FROM zcsync.add_stream('dev', 'statuses')});
like(($node->psql('postgres', q{SELECT zcsync.compare('dev/statuses')}))[2], qr/ERROR:  statuses of ClickUp are not compared/, 'statuses are not compared');
value(q{SELECT zcsync.pause_stream('dev/tasks')});
like(($node->psql('postgres', q{SELECT zcsync.compare('dev/tasks')}))[2], qr/ERROR:  stream "dev\/tasks" is paused/, 'a paused stream is not either');
is(value(q{SELECT count(*) FROM zcsync.dead_letters WHERE operation = 'pull'}), 0, 'no job died of it');

$node->stop;
done_testing();
