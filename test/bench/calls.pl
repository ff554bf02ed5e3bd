# The calls that a large installation uses: tickets that are linked to tasks have their
# comments read for the first time, then one on each side is copied to the other, then a
# hundredth of them is worked on.  Counted by the simulated vendors, and by zcsync itself.
#
# What is much is read and copied without limits, since with those of the vendors it would
# take hours: it is said how long.  What comes then keeps to the limits of plans.
#
#	ZCSYNC_BENCH_TICKETS=n	linked ones, more or less (5000), with four comments each

use strict;
use warnings;
use File::Basename qw(dirname);
use JSON::PP ();
use List::Util qw(sum0);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use lib dirname(__FILE__) . '/../perl';
use ZcsyncFlow;
use ZcsyncTest;

my $tickets = $ENV{ZCSYNC_BENCH_TICKETS} // 5000;
my $hundredth = int($tickets / 100) || 1;
$PostgreSQL::Test::Utils::timeout_default = 3600 if $PostgreSQL::Test::Utils::timeout_default < 3600;
my $true = JSON::PP::true();

# Calls a minute that plans allow, by vendor and budget class.
my %plan = (
	zendesk => { name => 'enterprise_plus with the add-on', api => 2500, write => 300, export => 30 },
	clickup => { name => 'business_plus', api => 1000 });

my $flow = ZcsyncFlow->start('main', tickets => int($tickets / 0.8), tasks => 0, conf => "zcsync.bulk_write_limit = 1000000\nshared_buffers = 512MB\nautovacuum_naptime = 10s\n");
my ($node, $simulator) = ($flow->node, $flow->simulator);
sub value { return $flow->value("SET client_min_messages = error; $_[0]") }

# Calls by endpoint that the simulator answered, and by class that zcsync counted.
sub counted
{
	my $endpoints = $simulator->get('stats')->{endpoints};
	my %seen;

	for my $vendor (qw(zendesk clickup))
	{
		for my $of (values %{ $endpoints->{$vendor} })
		{
			$seen{"$vendor $_"} += $of->{$_}{calls} for keys %$of;
		}
	}
	my %own = map { split /\|/ } split /\n/, value('SELECT a.vendor || $$ $$ || b.class, b.calls_total FROM zcsync.account_budgets AS b JOIN zcsync.accounts AS a USING (account_id)');
	return { seen => \%seen, own => \%own, at => time, began => value('SELECT clock_timestamp()') };
}

# Tell what was called since, and how long that takes at least with the limits of plans.
sub report
{
	my ($title, $before) = @_;
	my $now = counted();
	my %calls = map { $_ => ($now->{seen}{$_} // 0) - ($before->{seen}{$_} // 0) } keys %{ $now->{seen} };
	my %own = map { $_ => ($now->{own}{$_} // 0) - ($before->{own}{$_} // 0) } keys %{ $now->{own} };
	# a call that writes is one of api, too
	my ($all, $ours) = (sum0(values %calls), sum0(map { $own{$_} } grep { !/ write$/ } keys %own));

	diag(sprintf '%s: %d calls in %.0f s', $title, $all, $now->{at} - $before->{at});
	diag(sprintf '    %6d  %s', $calls{$_}, $_) for sort { $calls{$b} <=> $calls{$a} || $a cmp $b } grep { $calls{$_} } keys %calls;
	for my $class (sort grep { $own{$_} } keys %own)
	{
		my ($vendor, $name) = split / /, $class;
		my $limit = $plan{$vendor}{$name} or next;
		diag(sprintf '    %6d of budget %s: %.1f minutes with %s (%d a minute)', $own{$class}, $class, $own{$class} / $limit, $plan{$vendor}{name}, $limit);
	}
	# but for calls that are under way
	cmp_ok(abs($ours - $all), '<=', 10, "$title: zcsync counted what the vendors saw") or diag("$ours and $all");
	return \%calls;
}

sub edits
{
	my @edits = @_;

	while (my @some = splice @edits, 0, 500) { $simulator->post('edits', \@some) }
	return;
}

# Nothing left to read, to copy or to send.
sub done
{
	my ($what) = @_;

	return wait_until($node, 'postgres', <<'SQL', $what);
SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'webhooks', 'token'))
	AND NOT EXISTS (SELECT FROM zcsync.conversations WHERE due_at <= zcsync._now())
SQL
}

# Pairs of all tickets that are not closed, without comments.
ok($flow->mirror, 'the tickets are read');
value(<<'SQL');
SELECT zcsync.alter_stream('acme/tickets', writes => true);
SELECT zcsync.add_route('all', source => 'acme/tickets', target => 'dev/tasks', filter => $$status NOT IN ('closed', 'deleted')$$,
	create_in => $$CASE WHEN priority IN ('urgent', 'high') THEN 'Engineering/Product/Bugs' ELSE 'Engineering/Product/Requests' END$$, default_assignee => '185');
SELECT zcsync.resume_route('all');
SELECT value FROM zcsync.backfill_route('all', confirm => true) WHERE item = 'queued';
SQL
done('each has a task');
my @pairs = map { [ split /\|/ ] } split /\n/, value(<<'SQL');
SELECT s.remote_id, t.remote_id, s.status FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id ORDER BY l.link_id
SQL
sub said { my ($pair, $text) = @_; return { account => 'acme', id => $pair->[0], fields => { comment => { body => $text, public => $true } } } }
sub answered { my ($pair, $text) = @_; return { workspace => 'dev', id => $pair->[1], fields => { comment => $text } } }

# The first reading.
edits(map { my $pair = $_; (map { said($pair, "Said $_") } 1, 2) } @pairs);
$flow->polls;
$flow->settle('what was said is seen, but not read');
my $before = counted();
value(q{SELECT zcsync.alter_stream(s, comments => 'linked', pull_interval => '1 minute') FROM unnest('{acme/tickets,dev/tasks}'::text[]) AS s});
wait_until($node, 'postgres', 'SELECT count(*) = ' . 2 * @pairs . ' AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations', 'all comments are read');
done('nothing is left to read');
report(sprintf('the comments of %d pairs are read for the first time, two of each ticket and its description', scalar @pairs), $before);
is(value(q{SELECT count(*) FROM zcsync.comments WHERE body ~ '^Said'}), 2 * @pairs, 'all are here');

# One more on each side, which is copied to the other.
sleep 65;    # what was said in the last minute would be copied, too
value(q{SELECT zcsync.set_route_comments('all', comments => 'public', comments_back => 'all')});
$before = counted();
edits(map { (said($_, 'Said since'), answered($_, 'Answered')) } @pairs);
wait_until($node, 'postgres', sprintf(<<'SQL', 2 * @pairs), 'all are copied');
SELECT count(*) = %d FROM zcsync.comment_copies AS k JOIN zcsync.comments AS o ON o.local_id = k.original_id JOIN zcsync.comments AS c ON c.local_id = k.copy_id
WHERE c.remote_id IS NOT NULL AND o.body IN ('Said since', 'Answered')
SQL
done('nothing is left to copy');
report(sprintf('%d comments are read and copied, one of each ticket and each task', 2 * @pairs), $before);

# From now on with limits: of the vendors, and with the budgets that zcsync has for these plans.
$simulator->post('limits', { vendor => 'zendesk', plan => 'high_volume' });
$simulator->post('limits', { vendor => 'clickup', plan => 'business_plus' });
value(q{SELECT zcsync.alter_account('acme', '{"budgets": null}'), zcsync.alter_account('dev', '{"plan": "business_plus", "budgets": null}')});

$before = counted();
sleep 60;
my $idle = report('a minute in which nothing happens', $before);

# A hundredth of the tickets is changed, another has a comment, a third of their tasks has one.
$before = counted();
edits((map { { account => 'acme', id => $pairs[$_][0], fields => { subject => "Changed $_" } } } 0 .. $hundredth - 1),
	(map { said($pairs[$_], "New $_") } $hundredth .. 2 * $hundredth - 1), (map { answered($pairs[$_], "New $_") } 2 * $hundredth .. 3 * $hundredth - 1));
wait_until($node, 'postgres', sprintf(<<'SQL', $hundredth, 4 * $hundredth), 'all of it is at the other vendor');
SELECT (SELECT count(*) FROM zcsync.tasks WHERE name LIKE 'Changed %%' AND sync_state = 'synced') = %d
	AND (SELECT count(*) FROM zcsync.comments WHERE body ~ 'New \d+$' AND remote_id IS NOT NULL) = %d
SQL
done('nothing is left to do');
my $calls = report("$hundredth tickets changed, $hundredth comments each way", $before);
my $minutes = (time - $before->{at}) / 60;
my $per_change = (sum0(values %$calls) - $minutes * sum0(values %$idle)) / (3 * $hundredth);
diag(sprintf '%.1f calls for each change, beside those of a minute in which nothing happens', $per_change);
cmp_ok($per_change, '<', 8, 'what is called is in proportion to what changed');
my $refused = sum0(map { my $of = $_; map { $of->{$_}{status}{429} // 0 } keys %$of } map { values %$_ } values %{ $simulator->get('stats')->{endpoints} });
is($refused, 0, 'no call was refused as too many');
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'nothing failed for good');
done_testing();
