# Comments on both sides of a route, while replies get lost, vendors fail and the
# worker is killed: each arrives once, in order, as what it may be; nothing comes back,
# and no private text leaves.
#
#	ZCSYNC_TEST_SEED=n		replay the drawing
#	ZCSYNC_TEST_COMMENTS=n	how many (240)

use strict;
use warnings;

use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $seed = $ENV{ZCSYNC_TEST_SEED} // int rand 1_000_000;
my $count = $ENV{ZCSYNC_TEST_COMMENTS} // 240;
srand $seed;
diag("replay with ZCSYNC_TEST_SEED=$seed");

my $flow = ZcsyncFlow->start('main', tickets => 60, tasks => 5,
	conf => "zcsync.request_timeout = 2s\nzcsync.bulk_write_limit = 100000\nrestart_after_crash = on");
my ($node, $simulator) = ($flow->node, $flow->simulator);

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }

ok($flow->mirror(comments => 'linked'), 'both sides are read');
value(q{SELECT zcsync.alter_stream('acme/tickets', writes => true)});
$flow->route;
value(q{SELECT zcsync.set_route_comments('bugs', comments => 'public', comments_back => 'all')});
$flow->backfill;
$flow->settle('tickets become tasks');
my @pairs = map { [ split /\|/ ] } split /\n/, value(<<'SQL');
SELECT s.remote_id, t.remote_id FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id
WHERE s.status NOT IN ('closed', 'deleted') ORDER BY l.link_id LIMIT 12
SQL
cmp_ok(scalar @pairs, '>=', 4, scalar(@pairs) . ' pairs');
my $linked = value(q{SELECT count(*) FROM zcsync.links WHERE state = 'linked'});

# Comments are looked after now, and read.
sub look
{
	value('UPDATE zcsync.streams SET comments_at = zcsync._now() WHERE comments_at IS NOT NULL');
	return;
}
look();
wait_until($node, 'postgres', "SELECT count(*) = 2 * $linked AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations", 'what was there before is read');
is(value('SELECT count(*) FROM zcsync.comment_copies'), 0, 'what is older than the rule stays');

# Something is wrong with one call in ten that writes a comment.
$simulator->post('faults', [
	(map { { vendor => 'clickup', method => 'POST', path => '/comment$', %$_ } }
		{ fault => 'reset_after', skip => 3, count => 1 }, { fault => 'status', status => 500, skip => 8, count => 1 },
		{ fault => 'reset_after', probability => 0.04, seed => $seed, count => 0 }, { fault => 'html_502', probability => 0.02, seed => $seed + 1, count => 0 }),
	(map { { vendor => 'zendesk', method => 'PUT', path => '/tickets/\d+$', %$_ } }
		{ fault => 'reset_after', skip => 3, count => 1 }, { fault => 'truncated_body', skip => 6, count => 1 },
		{ fault => 'reset_after', probability => 0.04, seed => $seed + 2, count => 0 }, { fault => 'status', status => 503, probability => 0.02, seed => $seed + 3, count => 0 }) ]);

# A pair that was carried at two kills in a row pauses the route, since its text may have
# ended the processes; status tells a person to look, and what to call.
my $pauses = 0;
sub resume
{
	return if !value(q{SELECT count(*) FROM zcsync.alerts WHERE code = 'route_fault' AND resolved_at IS NULL});
	like(value(q{SELECT string_agg(s::text, ' ') FROM zcsync.status AS s}), qr/resume_route\('bugs'\)/, 'status says that the route is paused, and what to run');
	value(q{SELECT zcsync.resume_route('bugs')});
	$pauses++;
	return;
}

my %said;    # by ticket: texts in their order
for my $n (1 .. $count)
{
	my ($ticket, $task) = @{ $pairs[ int rand @pairs ] };
	my $draw = rand;

	if ($draw < 0.4)
	{
		$simulator->post('touch', { account => 'acme', id => $ticket, text => "public $n", public => JSON::PP::true() });
		push @{ $said{$ticket}{public} }, "public $n";
	}
	elsif ($draw < 0.6)
	{
		$simulator->post('touch', { account => 'acme', id => $ticket, text => "hush-hush $n" });
	}
	else
	{
		$simulator->post('touch', { workspace => 'dev', id => $task, text => "reply $n" });
		push @{ $said{$ticket}{reply} }, "reply $n";
	}
	look() if $n % 10 == 0;
	if ($n % int(1 + $count / 4) == 0)
	{
		# at best while comments are carried, and again when they are tried alone
		for my $attempts (1, 2)
		{
			$node->safe_psql('postgres', qq{DO \$\$ BEGIN
				FOR i IN 1 .. 300 LOOP
					EXIT WHEN EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'conversation' AND attempts >= $attempts);
					PERFORM pg_sleep(0.01);
				END LOOP; END \$\$});
			wait_for_worker($node, 'postgres', 'a worker to be killed');
			kill_process($node, worker_pid($node, 'postgres'));
		}
		resume();
	}
}

# What is unclear waits for the request's time-out and 30 s before it is looked up.
my $expected = 0;
$expected += @{ $_->{public} // [] } + @{ $_->{reply} // [] } for values %said;
my $arrived = q{SELECT count(*) FROM zcsync.comment_copies k JOIN zcsync.comments c ON c.local_id = k.copy_id WHERE c.remote_id IS NOT NULL};
for my $round (1 .. 60)
{
	resume();
	look();
	$flow->polls;
	# or until a kill that has only now been noticed pauses the route
	nothing_due($node, 'postgres', q{q.operation <> 'pull'}, q{EXISTS (SELECT FROM zcsync.alerts WHERE code = 'route_fault' AND resolved_at IS NULL)});
	last if value($arrived) >= $expected && value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('push', 'conversation')}) == 0;
	$flow->advance(33);
}
diag("the route was paused by kills $pauses times") if $pauses;
is(value($arrived), $expected, "all $expected comments have arrived") or ZcsyncTest::show_state($node, 'postgres');
cmp_ok(value(q{SELECT count(*) FROM zcsync.sync_records WHERE kind = 'comments' AND operation = 'push' AND status = 'found'}), '>', 0, 'some were found whose replies were lost');

# at the vendors
my %tickets = map { $_->{id} => $_ } @{ $simulator->get('state/tickets', account => 'acme', comments => 1)->{tickets} };
my %tasks = map { $_->{id} => $_ } @{ $simulator->get('state/tasks', workspace => 'dev', comments => 1)->{tasks} };
for my $pair (@pairs)
{
	my ($ticket, $task) = @$pair;
	my @in_task = sort { $a->{date} <=> $b->{date} || $a->{id} <=> $b->{id} } @{ $tasks{$task}{comments} };
	my @in_ticket = sort { $a->{id} <=> $b->{id} } @{ $tickets{$ticket}{comments} };

	is(join(', ', map { $_->{comment_text} =~ /(public \d+)/ ? $1 : () } @in_task), join(', ', @{ $said{$ticket}{public} // [] }), "task $task: each public comment of its ticket, once and in order");
	is(join(', ', map { $_->{body} =~ /(reply \d+)/ ? $1 : () } @in_ticket), join(', ', @{ $said{$ticket}{reply} // [] }), "ticket $ticket: each comment of its task, once and in order");
	is(scalar(grep { $_->{body} =~ /reply/ && $_->{public} } @in_ticket), 0, "ticket $ticket: all of them internal");
	is(scalar(grep { $_->{body} =~ /public.*public|reply.*reply/s } @in_ticket) + scalar(grep { $_->{comment_text} =~ /reply.*reply|public.*public/s } @in_task), 0, 'nothing came back');
}
unlike(JSON::PP->new->canonical->encode([ values %tasks ]), qr/hush-hush/, 'no private text at ClickUp');
my ($by) = map { $_->{comment_text} } grep { $_->{comment_text} =~ /public/ } map { @{ $_->{comments} } } values %tasks;
like($by, qr/^\S.* \(agent\), \d{4}-\d\d-\d\d \d\d:\d\d UTC/, 'a copy says who wrote it, and when');
for my $table (qw(tasks changes sync_records dead_letters sync_queue alerts route_errors))
{
	is(value("SELECT count(*) FROM zcsync.$table AS t WHERE t::text ~ 'hush-hush'"), 0, "nor in $table");
}
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job failed for good');

# A paused route stops within a second.
$simulator->no_faults;
my ($ticket, $task) = @{ $pairs[0] };
value(q{SELECT zcsync.pause_route('bugs')});
$simulator->post('touch', { workspace => 'dev', id => $task, text => 'while it is paused' });
$flow->polls;
look();
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.comments WHERE body = 'while it is paused')}, 'a comment is read while the route is paused');
is(value(q{SELECT count(*) FROM zcsync.comments WHERE body LIKE '%while it is paused' AND parent_kind = 'tickets'}), 0, 'and goes nowhere');
value(q{SELECT zcsync.resume_route('bugs')});
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.comments WHERE body LIKE '%while it is paused' AND parent_kind = 'tickets' AND remote_id IS NOT NULL)}, 'until it is resumed');

# A ticket is merged into another one: its task says so once, and is closed.
my ($loser, $winner) = grep { $tickets{ $_->[0] }{status} !~ /solved/ } @pairs[ 1 .. $#pairs ];
$simulator->post('merge', { account => 'acme', id => $loser->[0], into => $winner->[0] });
my $merged = "SELECT count(*) FROM zcsync.links l JOIN zcsync.links w ON w.link_id = l.moved_to JOIN zcsync.tickets s ON s.local_id = l.source_id
	JOIN zcsync.tickets k ON k.local_id = w.source_id WHERE s.remote_id = '$loser->[0]' AND k.remote_id = '$winner->[0]' AND l.state = 'unlinked'";
for my $round (1 .. 20)
{
	look();
	$flow->polls;
	last if value($merged) && value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('push', 'route', 'conversation')}) == 0;
	$flow->advance(33);
}
is(value($merged), 1, 'the pair of a merged ticket has ended');
%tasks = map { $_->{id} => $_ } @{ $simulator->get('state/tasks', workspace => 'dev', comments => 1)->{tasks} };
is(scalar(grep { $_->{comment_text} =~ /^Ticket #$loser->[0] \S+ was merged into ticket #$winner->[0] / } @{ $tasks{ $loser->[1] }{comments} }), 1, 'its task says once into which');
is($tasks{ $loser->[1] }{status}{type}, 'closed', 'and is closed');
isnt($tasks{ $winner->[1] }{status}{type}, 'closed', 'that of the winner is not');
%tickets = map { $_->{id} => $_ } @{ $simulator->get('state/tickets', account => 'acme', comments => 1)->{tickets} };
is(scalar(grep { $_->{body} =~ /was merged into ticket/ } map { @{ $_->{comments} } } values %tickets), 0, 'no ticket gets what the route says to tasks');

done_testing();
