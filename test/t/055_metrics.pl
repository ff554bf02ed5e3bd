# What is counted of calls and jobs, against what the simulated vendors saw; and
# what the workers are shown to do meanwhile.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 200, conf => "zcsync.request_timeout = 5s\n");
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub value { return $flow->value($_[0]) }
sub waits { my ($query, $what) = @_; return wait_until($node, 'postgres', $query, $what) }
sub calls { my ($condition) = @_; return value("SELECT coalesce(sum(total), 0) FROM zcsync._metric_series() WHERE family = 'calls' AND ($condition)") }
sub jobs { my ($condition) = @_; return value("SELECT coalesce(sum(total), 0) FROM zcsync._metric_series() WHERE family = 'operations' AND ($condition)") }

$flow->mirror;
$flow->route;
$flow->backfill;
$flow->settle('a task is made of each bug');
my $bugs = value(q{SELECT count(*) FROM zcsync.links});
is(calls(q{name = 'create_task' AND method = 'POST' AND status = 200 AND detail = 'done' AND vendor = 'clickup'}),
	scalar grep({ $_->{method} eq 'POST' && $_->{path} =~ m{/task$} && $_->{status} == 200 } $flow->requests(vendor => 'clickup')),
	'each create that ClickUp answered is counted');
is(jobs(q{name = 'push' AND detail = 'created'}), $bugs, 'and each job that it ended');
is(jobs(q{name = 'route' AND detail = 'created'}), $bugs, 'and what the route did, which needed no call');
cmp_ok(jobs(q{name = 'pull' AND detail = 'done'}), '>', 0, 'and what was read');
is(value(q{SELECT count(*) FROM zcsync._metric_series() WHERE family = 'calls' AND (total < buckets[9] OR seconds <= 0 OR buckets[1] > buckets[2])}), 0,
	'the histograms are cumulative');
is(value(q{SELECT string_agg(account, ' ' ORDER BY account) FROM zcsync.stat_connections WHERE connections > 0 AND seconds > 0 AND buckets[1] <= connections AND buckets[9] <= connections}),
	'acme dev', 'connections are counted, and how long they took to make');
is(value(q{SELECT bool_and(n.connections < (SELECT sum(c.calls) FROM zcsync.stat_calls AS c WHERE c.account = n.account)) FROM zcsync.stat_connections AS n}), 't',
	'and calls share them');
is(value(q{SELECT count(DISTINCT metric) FROM zcsync.stat_metrics WHERE metric IN ('zcsync_connections_total', 'zcsync_connect_seconds_total') AND value > 0}), 2, 'in the metrics, too');

# Errors have their status and class.
$simulator->post('faults', { vendor => 'zendesk', path => '/incremental/', fault => 'status', status => 503, count => 1 });
waits(q{SELECT sum(total) >= 1 FROM zcsync._metric_series() WHERE family = 'calls' AND status = 503 AND detail = 'vendor'}, 'failures are counted by status and class');

# What a worker does is seen while it does it.
$simulator->post('faults', { vendor => 'zendesk', path => '/incremental/', fault => 'hang', count => 1 });
my $worker = worker_pid($node, 'postgres');
waits(qq{SELECT EXISTS (SELECT FROM zcsync.activity AS x JOIN zcsync.sync_queue AS q USING (job_id) JOIN zcsync.streams AS s USING (stream_id)
	WHERE x.worker = 'worker' AND x.pid = $worker AND x.part = 'in flight' AND x.account = 'acme' AND x.what = 'incremental' AND x.jobs = 1
		AND coalesce(x.outcome, '') = '' AND x.ms IS NULL AND q.operation = 'pull' AND q.state = 'running' AND s.kind = 'tickets')},
	'a call in flight is shown: whose, of which job, and no outcome yet');
waits(qq{SELECT EXISTS (SELECT FROM zcsync.activity WHERE worker = 'worker' AND pid = $worker AND part = 'now' AND what = 'wait for replies' AND jobs >= 1)}, 'and that the worker waits for it');
waits(qq{SELECT EXISTS (SELECT FROM zcsync.activity WHERE worker = 'worker' AND pid = $worker AND part = 'ended' AND account = 'acme' AND what = 'incremental' AND jobs = 1 AND job_id > 0 AND outcome = 'vendor' AND ms > 1000)},
	'then what became of it');
my $ended = value(qq{SELECT max(at) FROM zcsync._activity() WHERE pid = $worker AND part = 'ended' AND outcome = 'vendor'});
cmp_ok(calls(q{name = 'incremental' AND status = 0}), '>=', 1, 'a call without a reply has no status');
is(value(qq{SELECT count(*) FROM zcsync._activity() WHERE pid = $worker AND part = 'ended'}), 10, 'the last ten are shown: many more have ended');
is(value(qq{SELECT string_agg(x.place::text, ' ' ORDER BY x.at DESC, x.place) = string_agg(x.place::text, ' ' ORDER BY x.place)
	FROM zcsync._activity() WITH ORDINALITY AS x (pid, role, part, at, what, account_id, job_id, jobs, outcome, seconds, place) WHERE x.pid = $worker AND x.part = 'ended'}), 't', 'the newest first');
waits(qq{SELECT count(*) = 10 AND min(at) > '$ended' FROM zcsync._activity() WHERE pid = $worker AND part = 'ended'}, 'ten later, that one is not among them, and they are ten still');
is(value(q{SELECT bool_and(own_bytes > 1000000 AND own_bytes <= resident_bytes AND cpu_seconds >= 0) FROM zcsync._process_usage()}), 't', 'memory and time of the processes are known');
is(value(q{SELECT string_agg(DISTINCT role, ', ' ORDER BY role) FROM zcsync._process_usage() WHERE role <> 'local'}), 'launcher, worker', 'of the launcher, too');

# Counters outlive the worker.
my $before = calls(q{name = 'create_task'});
my $pid = worker_pid($node, 'postgres');
value("SELECT pg_terminate_backend($pid)");
waits(qq{SELECT EXISTS (SELECT FROM zcsync._activity() WHERE role = 'worker' AND pid <> $pid)}, 'another worker takes over');
is(calls(q{name = 'create_task'}), $before, 'and what was counted before still is');
is(value(qq{SELECT count(*) FROM zcsync._activity() WHERE pid = $pid}), 0, 'the one that is gone does nothing');

# The work of a session is counted and shown, too.
value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'postgres');
$before = calls(q{name = 'incremental'});
$simulator->post('edit', { account => 'acme', id => 5, fields => { subject => 'Read by a session' } });
value(q{SELECT zcsync.start(); UPDATE zcsync.streams SET next_pull_at = zcsync._now(); SELECT zcsync.stop()});
$node->safe_psql('postgres', q{SELECT zcsync.start()});
waits(qq{SELECT sum(total) > $before FROM zcsync._metric_series() WHERE name = 'incremental'}, 'counting goes on');
$node->safe_psql('postgres', 'CREATE DATABASE other');
is($node->safe_psql('other', 'CREATE EXTENSION zcsync; SELECT count(*) FROM zcsync._metric_series()'), 0, 'another database sees nothing of it');
is($node->safe_psql('other', 'SELECT count(*) FROM zcsync._activity()'), 0, 'nor what is done');

done_testing();
