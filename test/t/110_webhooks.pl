# Vendors report changes: what was changed at the simulated vendors is in the
# tables at once, a burst costs few calls, and what is forged costs none.

use strict;
use warnings;
use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Webhooks;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 320, tasks => 60, simulator => [ '--halopsa-plan', 'none' ], conf => "zcsync.poll_interval = 5s\n");
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub value { return $flow->value($_[0]) }
sub fetches { my ($vendor, $pattern) = @_; return scalar grep { "$_->{method} $_->{path}" =~ $pattern } @{ $simulator->get('requests', vendor => $vendor, limit => 100000)->{requests} }; }

$flow->accounts;
value(q{SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2020-01-01', pull_interval => '1 day')});
value(q{SELECT FROM zcsync.add_stream('dev', 'tasks', since => '2020-01-01', pull_interval => '1 day')});
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.streams WHERE history_state = 'done' AND last_pull_at IS NOT NULL}, 'all is read');
my $path = value(q{SELECT zcsync.set_webhook('acme', 'acme-secret')});
value(q{SELECT zcsync.set_webhook('dev', 'dev-secret') IS NOT NULL});
my @tickets = split /\n/, value('SELECT remote_id FROM zcsync.tickets WHERE deleted_at IS NULL ORDER BY local_id');
my @tasks = split /\n/, value('SELECT remote_id FROM zcsync.tasks ORDER BY local_id');

# ---------------------------------------------------------------------
# One change
# ---------------------------------------------------------------------
my @took;
for my $n (1 .. 20)
{
	my ($id, $task) = ($tickets[$n], $tasks[$n]);

	$simulator->post('edit', { account => 'acme', id => $id, fields => { subject => "Changed $n" } });
	$simulator->post('edit', { workspace => 'dev', id => $task, fields => { name => "Changed $n" } });
	my $began = time;
	is(value(Webhooks::call($path, Webhooks::zendesk('acme-secret', $id)) . Webhooks::call('dev', Webhooks::clickup('dev-secret', $task))),
		"200\n200", "change $n is reported") if $n == 1;
	value(Webhooks::call($path, Webhooks::zendesk('acme-secret', $id)) . Webhooks::call('dev', Webhooks::clickup('dev-secret', $task))) if $n > 1;
	value(sprintf q{DO $$ BEGIN
		FOR n IN 1 .. 6000 LOOP
			EXIT WHEN (SELECT subject FROM zcsync.tickets WHERE remote_id = '%1$s') = 'Changed %3$s'
				AND (SELECT name FROM zcsync.tasks WHERE remote_id = '%2$s') = 'Changed %3$s';
			COMMIT;
			PERFORM pg_sleep(0.005);
		END LOOP; END $$}, $id, $task, $n);
	push @took, time - $began;
}
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE subject LIKE 'Changed %'}), 20, 'all tickets are here');
is(value(q{SELECT count(*) FROM zcsync.tasks WHERE name LIKE 'Changed %'}), 20, 'all tasks are here');
my @sorted = sort { $a <=> $b } @took;
note(sprintf 'from delivery to row, with two sessions begun: median %.0f ms, p95 %.0f ms', 1000 * $sorted[10], 1000 * $sorted[18]);
cmp_ok($sorted[10], '<', 3, 'long before the next read');

# a task that is gone
$simulator->post('delete', { workspace => 'dev', id => $tasks[30] });
value(Webhooks::call('dev', Webhooks::clickup('dev-secret', $tasks[30], event => 'taskDeleted')));
wait_until($node, 'postgres', "SELECT deleted_at IS NOT NULL FROM zcsync.tasks WHERE remote_id = '$tasks[30]'", 'a deleted task is marked');
is(value('SELECT count(*) FROM zcsync.tasks WHERE deleted_at IS NOT NULL'), 1, 'and no other');

# ---------------------------------------------------------------------
# A burst: 30 % come twice, in any order, 5 % are forged
# ---------------------------------------------------------------------
my @deliveries;
for my $n (1 .. 650)
{
	my $id = $tickets[ $n % 250 ];

	push @deliveries, [ Webhooks::zendesk('acme-secret', $id) ];
	push @deliveries, $deliveries[-1] if $n % 13 < 6;
	push @deliveries, [ Webhooks::zendesk('a wrong secret', $tickets[-1]) ] if $n % 13 == 0;
}
$simulator->post('edits', [ map { { account => 'acme', id => $_, fields => { subject => "Burst $_" } } } @tickets[ 0 .. 249, -1 ] ]);
my $calls = fetches('zendesk', qr/show_many/);
my $began = time;
my $answers = value(join '', map { Webhooks::call($path, @$_) } shuffle @deliveries);
note(sprintf '%d deliveries in %.1f s', scalar @deliveries, time - $began);
my %answered;
$answered{$_}++ foreach split /\n/, $answers;
is_deeply(\%answered, { 200 => 950, 403 => 50 }, 'forged ones are refused, and no other')
  or diag(join ', ', map { "$_: $answered{$_}" } sort keys %answered);
wait_until($node, 'postgres', q{SELECT count(*) = 250 FROM zcsync.tickets WHERE subject = 'Burst ' || remote_id}, 'what was reported is here');
is(value("SELECT count(*) FROM zcsync.tickets WHERE remote_id = '$tickets[-1]' AND subject LIKE 'Burst %'"), 0, 'and not what was forged');
is(value(q{SELECT count(*), sum(count) FROM zcsync.refused_deliveries}) =~ s/\|/ /r =~ s/^[12] /1 /r, '1 50', 'forged ones are a row for each source and minute');
$calls = fetches('zendesk', qr/show_many/) - $calls;
note("calls: $calls");
cmp_ok($calls, '<=', 12 + 10 * (time - $began), 'by few calls');    # a slow sender's come a few at a time, and wait for 100 ms
# a read may have brought a record before what was asked for because of its event came
wait_until($node, 'postgres', 'SELECT count(*) = 0 FROM zcsync.inbox WHERE waits', 'nothing waits any more');

# ClickUp has a call for each task, however often it was reported.
$calls = fetches('clickup', qr{^GET \S*/task/\w+(?:\?|$)});
value(join '', 'BEGIN;', (map { my $n = $_; map { Webhooks::call('dev', Webhooks::clickup('dev-secret', $tasks[$n])) } 1 .. 5 } 31 .. 40), 'COMMIT;');
wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation = 'fetch'}, 'tasks are read');
is(fetches('clickup', qr{^GET \S*/task/\w+(?:\?|$)}) - $calls, 10, 'once each');

# A burst about HaloPSA, which has a call for each ticket, too: some come twice, in any
# order, and some are forged.
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "tenant": "acme", "budgets": {"api": {"calls": 100000, "window_s": 1}, "token": {"calls": 1000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{SELECT FROM zcsync.add_stream('psa', 'tickets', since => '2020-01-01', pull_interval => '1 day')});
value(q{SELECT zcsync.set_webhook('psa', 'psa-secret') IS NOT NULL});
wait_until($node, 'postgres', q{SELECT history_state = 'done' AND last_pull_at IS NOT NULL FROM zcsync.streams WHERE account_id = zcsync.account('psa')}, 'HaloPSA is read');
my @halo = split /\n/, value(q{SELECT remote_id FROM zcsync.tickets WHERE account_id = zcsync.account('psa') ORDER BY local_id LIMIT 11});
$simulator->post('edits', [ map { { vendor => 'halopsa', account => 'acme', id => $_, fields => { summary => "Burst $_" } } } @halo ]);
@deliveries = map { [ Webhooks::halopsa('psa-secret', $halo[ $_ % 10 ]) ] } 1 .. 50;
push @deliveries, @deliveries[ 0 .. 14 ], map { [ Webhooks::halopsa('a wrong secret', $halo[10]) ] } 1 .. 3;
$calls = fetches('halopsa', qr{^GET \S*/Tickets/\d+}i);
$answers = value(join '', 'BEGIN;', (map { Webhooks::call('psa', @$_) } shuffle @deliveries), 'COMMIT;');
is(scalar(grep { $_ eq '200' } split /\n/, $answers), 65, 'those of HaloPSA are taken');
is(scalar(grep { $_ eq '403' } split /\n/, $answers), 3, 'and the forged ones are refused');
wait_until($node, 'postgres', q{SELECT count(*) = 10 FROM zcsync.tickets WHERE account_id = zcsync.account('psa') AND subject = 'Burst ' || remote_id}, 'tickets of HaloPSA are read');
wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation = 'fetch'}, 'and nothing is left to read');
is(fetches('halopsa', qr{^GET \S*/Tickets/\d+}i) - $calls, 10, 'once each');
is(value(q{SELECT sum(count) FROM zcsync.refused_deliveries WHERE account_id = zcsync.account('psa')}), 3, 'with a row that counts the forged ones');

# A comment of ClickUp costs its task and its comments one call each, however often it is
# reported.
value(q{SELECT FROM zcsync.alter_stream('dev/tasks', comments => 'all')});
my @talk = @tasks[ 21 .. 25 ];
my $talk = join ', ', map { "'$_'" } @talk;
value('UPDATE zcsync.streams SET comments_at = zcsync._now() WHERE comments_at IS NOT NULL');
wait_until($node, 'postgres', "SELECT count(*) = 5 AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations WHERE remote_id IN ($talk)", 'comments are read');
wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation IN ('comments', 'fetch')}, 'of all tasks');
$simulator->post('touch', { workspace => 'dev', id => $_, text => "Said in $_" }) foreach @talk;
my ($records, $comments) = (fetches('clickup', qr{^GET \S*/task/\w+(?:\?|$)}), fetches('clickup', qr{^GET \S*/task/\w+/comment}));
value(join '', 'BEGIN;', (map { my $task = $_; map { Webhooks::call('dev', Webhooks::clickup('dev-secret', $task, event => 'taskCommentPosted')) } 1 .. 4 } @talk), 'COMMIT;');
wait_until($node, 'postgres', q{SELECT count(*) = 5 FROM zcsync.comments WHERE body = 'Said in ' || parent_id}, 'reported comments are read');
wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation IN ('comments', 'fetch')}, 'and nothing is left to read');
is(fetches('clickup', qr{^GET \S*/task/\w+/comment}) - $comments, 5, 'one call for the comments of each task');
cmp_ok(fetches('clickup', qr{^GET \S*/task/\w+(?:\?|$)}) - $records, '<=', 5, 'and one at most for the task');

# ---------------------------------------------------------------------
# Nothing leaks
# ---------------------------------------------------------------------
my $log = slurp_file($node->logfile);
unlike($log, qr/acme-secret|dev-secret|psa-secret|zen:event-type/, 'neither a secret nor a body is in the log');

$node->stop;
done_testing();
