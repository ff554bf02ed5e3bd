# Two primaries: the standby is promoted while its primary goes on, and nobody
# fences it.  Each notices by the marks of what the other one makes that it is not
# alone, holds its creates and says so; and the way out that doc/ha.md shows.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
$simulator->post('holdback', { seconds => 0 });

my $old = new_node('old', init => [ allows_streaming => 1 ], conf => 'log_statement = none');
$old->start;
setup_zcsync($old, 'postgres');
add_simulated_accounts($old, 'postgres', $simulator);
$old->safe_psql('postgres', <<"SQL");
UPDATE zcsync.account_budgets SET calls = 1000000;
SELECT count(*) FROM zcsync.discover('dev');
SELECT zcsync.add_stream('acme', 'tickets', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'tasks', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SQL
wait_until($old, 'postgres', 'SELECT bool_and(last_pull_at IS NOT NULL) FROM zcsync.streams', 'all streams are read');
$old->safe_psql('postgres', <<"SQL");
SELECT zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', create_in => '$bugs');
SELECT zcsync.resume_route('bugs');
SQL
sub value { my ($node, $sql) = @_; return $node->safe_psql('postgres', $sql); }
sub ticket { my ($subject) = @_; return $simulator->post('create', { account => 'acme', fields => { subject => $subject } }); }
sub tasks { my ($name) = @_; return scalar grep { $_->{name} eq $name } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 100000)->{tasks} }; }
ticket('Before');
wait_until($old, 'postgres', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'Before' AND sync_state = 'synced' AND creator_id IS NOT NULL}, 'the primary makes a task');

$old->backup('base');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init_from_backup($old, 'base', has_streaming => 1);
chmod 0600, $new->data_dir . '/zcsync.key' or die $!;		# as pg_basebackup leaves it
$new->start;
$old->wait_for_catchup($new);
$new->promote;
wait_until($new, 'postgres', q{SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'failover'}, 'the standby is promoted');
wait_for_worker($old, 'postgres', 'and its primary works on');

# Some time later: what is made now is newer than both.
$simulator->post('clock', { advance_seconds => 600 });
for my $node ($old, $new)
{
	$node->append_conf('postgresql.conf', 'zcsync.clock_offset = 600');
	$node->reload;
}
wait_until($new, 'postgres', q{SELECT count(*) = 0 FROM zcsync._awaited()}, 'the new primary has read all anew');
is(value($_, q{SELECT count(*) FROM zcsync.alerts WHERE code = 'other_installation'}), 0, $_->name . ': nothing is noticed before something is made') for $old, $new;
# Each makes a task before it reads that of the other.
value($_, q{SELECT zcsync.pause_stream('dev/tasks')}) for $old, $new;
value($_, sprintf q{INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '%s', 'Of the %s one')}, $bugs, $_->name) for $old, $new;
wait_until($_, 'postgres', sprintf(q{SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'Of the %s one'}, $_->name), $_->name . ': makes a task') for $old, $new;
is(tasks('Of the old one') . tasks('Of the new one'), '11', 'both write to the vendor');
value($_, q{SELECT zcsync.resume_stream('dev/tasks')}) for $old, $new;
for my $node ($old, $new)
{
	my $name = $node->name;

	wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'other_installation' AND object = 'dev' AND resolved_at IS NULL}, "$name: a read shows that it is not alone");
	is(value($node, q{SELECT to_do FROM zcsync.status WHERE account = '(all)' AND state = 'alert'}), 'SELECT * FROM zcsync.alerts WHERE resolved_at IS NULL;', "$name: so does status");
}

# What is to be made from then on is held by both.
ticket('After');
for my $node ($old, $new)
{
	wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.tasks t JOIN zcsync.sync_queue q USING (local_id) WHERE t.name = 'After' AND q.state = 'held'}, $node->name . ': its create is held');
	is(value($node, q{SELECT count FROM zcsync.alerts WHERE code = 'other_installation' AND resolved_at IS NULL}) >= 1, 1, $node->name . ': the alert is the same one');
	is(value($node, q{SELECT state FROM zcsync.status WHERE account = 'dev'}), 'held', $node->name . ': its account is not in step');
}
is(tasks('After'), 0, 'nothing is made twice');

# Changes are not noticed: both write them.
value($old, q{UPDATE zcsync.tasks SET name = 'Before, by the old one' WHERE name = 'Before'});
wait_until($new, 'postgres', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'Before, by the old one'}, 'a change of one is what the other reads');

# The way out.
value($old, q{SELECT zcsync.stop()});
wait_for_no_worker($old, 'postgres');
value($new, q{SELECT zcsync.refresh('dev/tasks')});
is(value($new, q{SELECT string_agg(m.op, ', ') FROM zcsync.adopt_marks('dev', confirm => true) AS m}), 'leave', 'what the old one made by hand belongs to nothing');
is(value($new, q{SELECT zcsync.release_held('dev')}), 1, 'what was held is released');
wait_until($new, 'postgres', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'After' AND sync_state = 'synced'}, 'and made');
is(tasks('After'), 1, 'once');
is(value($new, q{SELECT string_agg(code, ', ') FROM zcsync.alerts WHERE resolved_at IS NULL}), 'failover', 'the alert is over');
is(log_lines($_, 'PANIC|terminated by signal'), 0, $_->name . ': no process failed') for $old, $new;

$new->stop;
$old->stop;
done_testing();
