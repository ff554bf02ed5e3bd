# Tickets are written and changed on both sides at once, while replies get lost
# and calls are refused.  In the end both sides have all that either wrote, each
# new ticket is there once, and nothing is left to do.

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 40, tasks => 0, conf => "zcsync.request_timeout = 2s");
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $seed = $ENV{ZCSYNC_TEST_SEED} || int rand 1_000_000;
diag("replay with ZCSYNC_TEST_SEED=$seed");
srand $seed;

ok($flow->mirror, 'both sides are read');
$flow->value(q{SELECT zcsync.alter_stream('acme/tickets', writes => true); SELECT zcsync.alter_queue('ticket-sync', concurrency => 20, backoff_base => '200 ms', max_attempts => 20)});
my @ids = split /\n/, $flow->value(q{SELECT remote_id FROM zcsync.tickets WHERE status NOT IN ('closed', 'deleted') AND deleted_at IS NULL ORDER BY remote_id::bigint LIMIT 20});
my $write = { vendor => 'zendesk', path => '/tickets(?:/\d+)?$' };
$simulator->post('faults', [
	map({ { %$write, method => 'POST', %$_ } } { fault => 'truncated_body', skip => 5 }, { fault => 'status', status => 500, after => \1, skip => 10 }, { fault => 'hang', after => \1, skip => 15 }),
	map({ { %$write, method => $_, fault => 'reset_after', probability => 0.08, seed => $seed } } qw(POST PUT)),
	map({ { %$write, method => $_, fault => 'reset_before', probability => 0.04, seed => $seed + 1 } } qw(POST PUT)),
	map({ { %$write, method => $_, fault => 'truncated_json', probability => 0.04, seed => $seed + 2 } } qw(POST PUT)),
	{ %$write, method => 'PUT', fault => 'rate_limit', retry_after => 1, probability => 0.03, seed => $seed + 3 },
	{ %$write, method => 'GET', fault => 'html_502', probability => 0.05, seed => $seed + 4 } ]);

# Each side has columns of its own: all of both must be there in the end.
my (%theirs, %ours);
my $new = 0;
for my $round (1 .. 12)
{
	my @edits;

	for my $id (grep { rand() < 0.4 } @ids)
	{
		$theirs{$id} = { subject => "theirs $round", priority => (qw(urgent high normal low))[ rand 4 ] };
		push @edits, { account => 'acme', id => $id, fields => $theirs{$id} };
	}
	$simulator->post('edits', \@edits) if @edits;
	for my $id (grep { rand() < 0.5 } @ids)
	{
		$ours{$id} = [ "ours-$round", (qw(problem incident question task))[ rand 4 ] ];
		$flow->value(sprintf q{UPDATE zcsync.tickets SET tags = '{%s}', type = '%s' WHERE account_id = zcsync.account('acme') AND remote_id = '%s'}, @{ $ours{$id} }, $id);
	}
	$flow->value(sprintf q{INSERT INTO zcsync.tickets (account_id, subject) SELECT zcsync.account('acme'), 'new ' || i FROM generate_series(%d, %d) AS i}, $new + 1, $new + 4);
	# the one made last is edited while it is on its way
	$flow->value(q{UPDATE zcsync.tickets SET priority = 'high' WHERE local_id = (SELECT max(local_id) FROM zcsync.tickets)});
	$new += 4;
	select undef, undef, undef, 0.4;
}

# What is unclear is looked up when the time of a request is over.
my $waiting = q{SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments')};
for my $round (1 .. 60)
{
	nothing_due($node, 'postgres', q{q.operation NOT IN ('pull', 'comments')});
	last if $flow->value($waiting) == 0;
	$flow->advance(33);
	$simulator->no_faults if $round == 20;
}
is($flow->value($waiting), 0, 'all is done');
$flow->settle('nothing is left to do');
cmp_ok(scalar(grep { $_->{status} == 0 } $flow->requests(vendor => 'zendesk')), '>', 5, 'replies were lost');
cmp_ok(scalar(grep { $_->{status} == 409 } $flow->requests(vendor => 'zendesk', method => 'PUT')), '>', 0, 'and changes refused since others were faster');
$simulator->no_faults;

# The vendor has what either side wrote last.
my %ticket = map { $_->{id} => $_ } @{ $simulator->get('state/tickets', account => 'acme', limit => 100000)->{tickets} };
is(join(', ', grep { my $t = $ticket{$_}; my $e = $theirs{$_}; grep { $t->{$_} ne $e->{$_} } keys %$e } sort keys %theirs), '', 'what was written there is there');
is(join(', ', grep { my ($tag, $type) = @{ $ours{$_} }; join(' ', @{ $ticket{$_}{tags} }) ne $tag || $ticket{$_}{type} ne $type } sort keys %ours), '', 'what was written here is there');
my %made;
$made{ $_->{subject} }++ for grep { $_->{subject} =~ /^new / } values %ticket;
is(scalar(keys %made), $new, 'all new tickets are there');
is($simulator->get('stats')->{duplicates}{zendesk}{marker}{duplicates}, 0, 'each once');
is($flow->value(q{SELECT count(*) || ' ' || count(DISTINCT remote_id) FROM zcsync.tickets WHERE subject LIKE 'new %'}), "$new $new", 'here, too');

# And here is what is there.
$flow->polls;
$flow->load_vendors;
is($flow->value(<<'SQL'), '', 'both sides are the same');
SELECT string_agg(coalesce(v.id, t.remote_id, t.subject), ', ')
FROM vendor_tickets AS v FULL JOIN zcsync.tickets AS t ON t.remote_id = v.id
WHERE (v.doc ->> 'subject', v.doc ->> 'status', v.doc ->> 'priority', v.doc ->> 'type', v.doc -> 'tags', v.doc ->> 'external_id', (v.doc ->> 'updated_at')::timestamptz)
	IS DISTINCT FROM (t.subject, t.status, t.priority, t.type, to_jsonb(t.tags), t.external_id, t.updated_at)
	OR t.sync_state <> 'synced'
SQL
is($flow->value(q{SELECT coalesce(string_agg(old::text || ' ' || new::text, '; '), '') FROM zcsync.changes WHERE action = 'lost'}), '', 'nothing was lost');
is($flow->value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'nothing failed');
my $last = $flow->last_write;
$flow->polls(2);
is($flow->last_write, $last, 'and it is quiet');
is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
