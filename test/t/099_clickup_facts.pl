# What ClickUp does that is easily missed: pages that are short and not the last,
# tasks that move, ids that people give, tasks in several lists, custom fields of
# all types, each in the form that it is sent in.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 60, '--clickup-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');
add_simulated_accounts($node, 'postgres', $simulator);

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub fails { return ($node->psql('postgres', $_[0]))[2]; }
sub control { my ($what, %arguments) = @_; return $simulator->post($what, { workspace => 'dev', %arguments }); }
sub work { value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'}); return run_worker($node, 'postgres', '60 s'); }
sub pull { value(q{UPDATE zcsync.streams SET next_pull_at = now()}); return work(); }
sub requests { return @{ $simulator->get('requests', vendor => 'clickup', limit => 100000, @_)->{requests} }; }
sub last_request { my ($last) = sort { $b <=> $a } map { $_->{seq} } requests(); return $last // 0; }
sub state { return @{ $simulator->get('state/tasks', workspace => 'dev', limit => 1000)->{tasks} }; }
sub task { my ($id) = @_; my ($task) = grep { $_->{id} eq $id } &state(); return $task; }
sub row { my ($name, $columns) = @_; return value("SELECT $columns FROM zcsync.tasks WHERE name = '$name'"); }
# what the latest dead letter says
sub dead { my ($what) = @_; return value("SELECT $what FROM zcsync.dead_letters ORDER BY died_at DESC LIMIT 1"); }
my $lists = $simulator->get('info')->{clickup}{dev}{lists};
my $shared = scalar grep { $_->{list}{id} ne $lists->{Management} } &state();

value(q{SELECT zcsync.alter_account('dev', '{"plan": "enterprise", "budgets": {"api": {"calls": 100000, "window_s": 1}}}'); UPDATE zcsync.queues SET concurrency = 10});

# ------------------------------------------------------------ pages

# Pages of seven tasks, each but the last with last_page: false.
$simulator->post('settings', { clickup_page_size => 7 });
value(q{SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 day')});
work();
is(value('SELECT count(*) FROM zcsync.tasks'), $shared, 'short pages that are not the last are gone beyond');
value(q{SELECT zcsync.compare('dev/tasks')});
work();
is(value('SELECT count(*) FROM zcsync.tasks WHERE deleted_at IS NOT NULL') . value('SELECT count(*) FROM zcsync.alerts'), '00', 'in comparisons, too');
$simulator->post('settings', { clickup_page_size => 100, clickup_last_page => 0 });
my $before = last_request();
pull();
is(scalar(grep { $_->{path} =~ m{/team/} } requests(since => $before)), 1, 'without last_page a short page is the last');
$simulator->post('settings', { clickup_last_page => 1 });

# ------------------------------------------------------------ custom fields

# There is no stream of fields: what must be known of them is read.
value(q{SELECT zcsync.alter_stream('dev/tasks', writes => true)});
my %field = map { $_->[0] => control('add_field', list => 'Bugs', type => $_->[0], type_config => $_->[1])->{id} } [ url => {} ], [ email => {} ], [ currency => {} ], [ emoji => { count => 5 } ],
  [ manual_progress => { start => 10, end => 30 } ], [ location => {} ], [ users => {} ], [ tasks => {} ], [ attachment => {} ];
$before = last_request();
value(qq{INSERT INTO zcsync.tasks (account_id, name, list_id, custom_fields) VALUES (zcsync.account('dev'), 'Unknown', '$lists->{Bugs}', '{"$field{url}": "https://example.com", "nope": 1}')});
work() for 1 .. 6;
is(dead(q{class || ' ' || message}), qq{rejected list $lists->{Bugs} has no custom field "nope"}, 'an unknown custom field is refused');
like(dead('hint'), qr/zcsync\.fields WHERE scope_id = '$lists->{Bugs}'/, 'with those that there are');
is(scalar(grep { $_->{method} eq 'POST' } requests(since => $before)), 0, 'before it is sent');
is(scalar(grep { $_->{path} =~ m{/field$} } requests(since => $before)), 1, 'the fields of its list are read once');
is(value(qq{SELECT count(*) > 9 FROM zcsync.fields WHERE scope_id = '$lists->{Bugs}'}), 't', 'and are rows');
value(q{UPDATE zcsync.tasks SET custom_fields = custom_fields - 'nope' WHERE name = 'Unknown'});
work();
is(row('Unknown', 'sync_state'), 'synced', 'without it the task is made');

# Each type: at creation and later, in forms that people write.
my $other = row('Unknown', 'remote_id');
my %date = map { split /\|/ } value("SELECT 'date', split_part(remote_id, ':', 2) FROM zcsync.fields WHERE scope_id = '$lists->{Bugs}' AND type = 'date'");
my $first = qq{{"$field{email}": "a\@example.com", "$field{currency}": "8000.50", "$field{emoji}": 4, "$field{manual_progress}": 20, "$field{users}": [183, "184"], "$field{tasks}": ["$other"],
	"$field{attachment}": ["f-1"], "$date{date}": "2026-12-24", "$field{location}": {"location": {"lat": 47.3, "lng": -122.5}, "formatted_address": "Tacoma"}}};
my $kept = qq{{"$field{email}": "a\@example.com", "$field{currency}": 8000.50, "$field{emoji}": 4, "$field{manual_progress}": 20, "$field{users}": ["183", "184"], "$field{tasks}": ["$other"],
	"$field{attachment}": ["f-1"], "$date{date}": "2026-12-24T12:00:00+00:00", "$field{location}": {"location": {"lat": 47.3, "lng": -122.5}, "formatted_address": "Tacoma"}}};
value(qq{INSERT INTO zcsync.tasks (account_id, name, list_id, custom_fields) VALUES (zcsync.account('dev'), 'Made', '$lists->{Bugs}', '$first'), (zcsync.account('dev'), 'Edited', '$lists->{Bugs}', '{}')});
work();
value(qq{UPDATE zcsync.tasks SET custom_fields = '$first' WHERE name = 'Edited'});
work() for 1 .. 3;
foreach my $name ('Made', 'Edited')
{
	is(row($name, "custom_fields = '$kept' AND sync_state = 'synced'"), 't', "$name: values as they will be read") or diag row($name, 'sync_state, custom_fields'), value('SELECT message, hint FROM zcsync.dead_letters');
}
pull();
is(value(q{SELECT count(*) FROM zcsync.changes c JOIN zcsync.tasks t USING (local_id) WHERE t.name IN ('Made', 'Edited') AND c.cause = 'pull'}), 0, 'and what comes back changes nothing');
is_deeply([ value("SELECT count(*) FROM zcsync.tasks WHERE name IN ('Made', 'Edited') AND custom_fields = '$kept'") ], [2], 'whatever its form there');
value(qq{UPDATE zcsync.tasks SET custom_fields = custom_fields || '{"$field{users}": ["185"], "$date{date}": "2026-12-24T18:00:00Z", "$field{manual_progress}": {"current": 30}}' WHERE name = 'Edited'});
work() for 1 .. 3;
is(row('Edited', qq{custom_fields -> '$field{users}', custom_fields ->> '$date{date}', custom_fields -> '$field{manual_progress}', sync_state}), '["185"]|2026-12-24T18:00:00+00:00|30|synced', 'changed');
value(qq{UPDATE zcsync.tasks SET custom_fields = custom_fields || '{"$field{manual_progress}": 31}' WHERE name = 'Edited'});
work() for 1 .. 6;
like(dead(q{message || '; ' || hint}), qr/^custom field "manual_progress" cannot be 31; It takes a number from 10 to 30\.$/, 'a value that does not fit is refused before it is sent');
value(qq{UPDATE zcsync.tasks SET custom_fields = custom_fields || '{"$field{manual_progress}": 15}' WHERE name = 'Edited'});
work();

# ------------------------------------------------------------ lists and parents

value(qq{INSERT INTO zcsync.tasks (account_id, name, list_id) VALUES (zcsync.account('dev'), 'Parent 1', '$lists->{Bugs}'), (zcsync.account('dev'), 'Parent 2', '$lists->{Bugs}')});
work();
value(q{UPDATE zcsync.tasks SET parent_id = (SELECT remote_id FROM zcsync.tasks WHERE name = 'Parent 1') WHERE name = 'Made'});
work();
is(task(row('Made', 'remote_id'))->{parent}, row('Parent 1', 'remote_id'), 'a task gets a parent');
value(q{UPDATE zcsync.tasks SET parent_id = (SELECT remote_id FROM zcsync.tasks WHERE name = 'Parent 2') WHERE name = 'Made'});
work();
is(task(row('Made', 'remote_id'))->{parent}, row('Parent 2', 'remote_id'), 'and another one');
like(fails(q{UPDATE zcsync.tasks SET parent_id = NULL WHERE name = 'Made'}), qr/ERROR:  column "parent_id" of tasks cannot be emptied/, 'but not none');
like(fails(q{UPDATE zcsync.tasks SET status = NULL WHERE name = 'Made'}), qr/ERROR:  column "status" of tasks cannot be emptied/, 'nor no status');
is(row('Made', 'sync_state, parent_id IS NOT NULL'), 'synced|t', 'the row stays');

# without statuses ClickUp decides
value(qq{UPDATE zcsync.tasks SET list_id = '$lists->{Requests}' WHERE name = 'Edited'});
work() for 1 .. 6;
like(dead(q{class || ' ' || message}), qr/^rejected Status mapping is required/, 'a list without the status: ClickUp refuses it where statuses are not known here');
is(row('Edited', 'list_id, sync_state'), "$lists->{Requests}|failed", 'and the row says so');
value(q{SELECT count(*) FROM zcsync.add_stream('dev', 'statuses')});
work();
value(q{UPDATE zcsync.tasks SET points = 1 WHERE name = 'Edited'});
work() for 1 .. 6;
like(dead(q{class || ' ' || message || '; ' || hint}), qr/^rejected list $lists->{Requests} has no status "to do"; .*one of these: 'Open', 'planned', 'shipped', 'Closed'\.$/, 'where they are known it is refused here');
$before = last_request();
value(q{UPDATE zcsync.tasks SET status = 'planned' WHERE name = 'Edited'});
work() for 1 .. 3;
my $task = task(row('Edited', 'remote_id'));
is(join(' ', $task->{list}{id}, $task->{status}{status}, $task->{points}), "$lists->{Requests} planned 1", 'with a status of the list it moves');
is(row('Edited', 'list_id, status, sync_state'), "$lists->{Requests}|planned|synced", 'and the row is in step');
is(join(', ', map { "$_->{method} " . ($_->{path} =~ m{/(api/v\d)/})[0] } grep { $_->{method} ne 'GET' } requests(since => $before)), 'PUT api/v3, PUT api/v2', 'moved first, by version 3');
pull();
is(row('Edited', 'list_id, status, sync_state'), "$lists->{Requests}|planned|synced", 'and stays so');

# ------------------------------------------------------------ custom ids

control('edit', id => $task->{id}, fields => { custom_id => 'DEV-12' });
pull();
is(value(q{SELECT r.local_id = t.local_id FROM zcsync.record('dev/tasks/DEV-12') r, zcsync.tasks t WHERE t.name = 'Edited'}), 't', 'a custom id names a record');
is(row('Edited', 'custom_id'), 'DEV-12', 'which its row shows');
is(value(q{SELECT count(*) > 0 FROM zcsync.history('dev/tasks/DEV-12')}), 't', 'wherever references are taken');
$before = last_request();
value(q{SELECT zcsync.sync_task('dev/tasks/DEV-12')});
work();
is(join(' ', map { "$_->{path}?$_->{query}" } grep { $_->{path} =~ m{/task/} } requests(since => $before)), "/clickup/api/v2/task/$task->{id}?", 'a task that is known is read by its id');
my $new = control('create', list => 'Bugs', fields => { name => 'By its name', custom_id => 'DEV-13' })->{id};
value(q{SELECT zcsync.sync_task('dev/tasks/DEV-13')});
work();
is(row('By its name', 'remote_id'), $new, 'one that is not, by its custom id');
like(fails(q{SELECT zcsync.record('dev/tasks/DEV-14')}), qr/record "dev\/tasks\/DEV-14" is not in the mirror/, 'one that nobody has');

# ------------------------------------------------------------ several lists

value(q{SELECT zcsync.remove_stream('dev/tasks'); SET session_replication_role = replica; DELETE FROM zcsync.tasks; RESET session_replication_role});
control('edit', id => $new, fields => { locations => [ $lists->{Inbox} ] }, quiet => 1);
value(qq{SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$lists->{Inbox}", "$lists->{Requests}"]}', since => '2000-01-01', pull_interval => '1 day')});
work();
is(row('By its name', 'list_id, count(*) OVER ()'), "$lists->{Bugs}|1", 'a task that is in a list and has its home elsewhere is here once, with its home');
is(value(qq{SELECT count(*) FROM zcsync.tasks WHERE list_id = '$lists->{Bugs}'}), 1, 'other tasks of that list are not');
control('edit', id => $new, fields => { description => 'new text' });
value(q{UPDATE zcsync.streams SET live_cursor = jsonb_set(live_cursor, '{shared,at}', '0')}), pull() for 1 .. 2;
is(row('By its name', 'description'), 'new text', 'its changes come');
value(q{SELECT zcsync.compare('dev/tasks')});
work();
is(value('SELECT count(*) FROM zcsync.tasks WHERE deleted_at IS NOT NULL'), 0, 'it is not taken for deleted');
value(q{SET session_replication_role = replica; UPDATE zcsync.tasks SET created_at = created_at - interval '1 hour' WHERE name = 'By its name'});
control('delete', id => $new);
value(q{SELECT zcsync.compare('dev/tasks')});
work();
is(value('SELECT string_agg(name, $$, $$) FROM zcsync.tasks WHERE deleted_at IS NOT NULL'), 'By its name', 'until it is');

$node->stop;
done_testing();
