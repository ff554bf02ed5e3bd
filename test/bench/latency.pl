# How long a change at one vendor takes, from when its webhook is in the inbox, until it
# is in its row here, and until the request to the other vendor arrives there: changes one
# at a time, then many.  What the simulated vendors compute is part of it.
#
#	ZCSYNC_BENCH_CHANGES=n	one at a time, of each form (50)

use strict;
use warnings;
use File::Basename qw(dirname);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use lib dirname(__FILE__) . '/../perl';
use Door;
use ZcsyncFlow;
use ZcsyncTest;

my $count = $ENV{ZCSYNC_BENCH_CHANGES} // 50;
my $rate = 10;    # changes a second, where there are many

Door::build();
my $flow = ZcsyncFlow->start('main', tickets => 1000, tasks => 20, conf => "track_commit_timestamp = on\nzcsync.poll_interval = 5s\nzcsync.bulk_write_limit = 100000\n");
my ($node, $simulator) = ($flow->node, $flow->simulator);
sub value { return $flow->value("SET client_min_messages = error; SET timezone = 'UTC'; $_[0]") }

ok($flow->mirror(comments => 'linked'), 'both sides are read');
value(q{SELECT zcsync.alter_stream('acme/tickets', writes => true)});
$flow->route;
value(q{SELECT zcsync.map_field('bugs', 'subject', 't.name', back => true)});
value(q{SELECT zcsync.set_route_comments('bugs', comments => 'public', comments_back => 'all')});
$flow->backfill;
$flow->settle('tickets become tasks');
wait_until($node, 'postgres', q{SELECT count(*) > 0 AND bool_and(read_at IS NOT NULL) FROM zcsync.conversations}, 'comments are read');
# from now on nothing moves but what is reported
value(q{SELECT zcsync.alter_stream(s, pull_interval => '1 hour') FROM unnest('{acme/tickets,dev/tasks}'::text[]) AS s});
value(<<'SQL');
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
SQL
my $door = Door->start($node);
value(sprintf q{SELECT zcsync.ensure_webhooks(a, 'http://127.0.0.1:%s') FROM unnest('{acme,dev}'::text[]) AS a}, $door->port);
wait_until($node, 'postgres', q{SELECT count(*) = 2 FROM zcsync.webhooks WHERE health = 'active'}, 'webhooks are declared');
my @pairs = map { [ split /\|/ ] } split /\n/, value(<<'SQL');
SELECT s.remote_id, t.remote_id FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tasks t ON t.local_id = l.target_id
WHERE s.status NOT IN ('solved', 'closed', 'deleted') ORDER BY l.link_id
SQL

# What is changed where, and what its text is in: of each form of change the vendor and the
# place of the change, the row that has it, and the request that carries it on.
my %form = (
	'a field of a ticket' => { from => 0, edit => sub { { account => 'acme', id => $_[0], fields => { subject => $_[1] } } }, table => 'tickets', to => qr{^PUT .*/task/[^/]+$} },
	'a field of a task' => { from => 1, edit => sub { { workspace => 'dev', id => $_[0], fields => { name => $_[1] } } }, table => 'tasks', to => qr{^PUT .*/tickets/\d+$} },
	'a comment on a ticket' => { from => 0, touch => sub { { account => 'acme', id => $_[0], text => $_[1], public => JSON::PP::true() } }, table => 'comments', to => qr{^POST .*/comment$} },
	'a comment on a task' => { from => 1, touch => sub { { workspace => 'dev', id => $_[0], text => $_[1] } }, table => 'comments', to => qr{^PUT .*/tickets/\d+$} });
my @made;    # [ form, id, text, when ]

sub change
{
	my ($name) = @_;
	my $form = $form{$name};
	my $id = $pairs[ @made % @pairs ][ $form->{from} ];
	my $text = sprintf 'change %05d', scalar @made;
	my $verb = $form->{edit} ? 'edit' : 'touch';

	push @made, [ $name, $id, $text, time ];
	$simulator->post($verb, ($form->{edit} // $form->{touch})->($id, $text));
	return;
}

# Until all that was made is where it was to go.
sub settled
{
	my ($what) = @_;

	sleep 1;
	return wait_until($node, 'postgres', <<'SQL', $what);
SELECT (SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'comments', 'webhooks') OR (operation IN ('pull', 'comments') AND run_at <= now())) = 0
	AND NOT EXISTS (SELECT FROM zcsync.inbox WHERE waits)
SQL
}

# Milliseconds from the inbox to the request for what changed, to the row, and to the request, of what was made since $first.
sub report
{
	my ($title, $first) = @_;
	my @requests = $flow->requests;
	my %took;

	value('DROP TABLE IF EXISTS made; CREATE TABLE made (n integer, form text, kind text, id text, text text, at float8); '
		. join ';', map { sprintf q{INSERT INTO made VALUES (%d, '%s', '%s', '%s', '%s', %f)}, $_, $made[$_][0], $form{ $made[$_][0] }{table}, @{ $made[$_] }[ 1 .. 3 ] } $first .. $#made);
	my %arrived = map { my ($n, $inbox, $row) = split /\|/; $n => [ $inbox, $row ] } split /\n/, value(<<'SQL');
SELECT m.n, (SELECT extract(epoch FROM min(i.received_at)) FROM zcsync.inbox AS i WHERE i.remote_id = m.id AND i.received_at >= to_timestamp(m.at)),
	extract(epoch FROM CASE WHEN m.kind = 'comments' THEN (SELECT min(pg_xact_commit_timestamp(c.xmin)) FROM zcsync.comments AS c WHERE c.parent_id = m.id AND c.body = m.text)
		ELSE (SELECT min(pg_xact_commit_timestamp(h.xmin)) FROM zcsync.changes AS h WHERE h.kind = m.kind AND h.cause = 'pull' AND m.text IN (h.new ->> 'subject', h.new ->> 'name')) END)
FROM made AS m
SQL
	for my $n ($first .. $#made)
	{
		my ($name, $id, $text) = @{ $made[$n] };
		my ($request) = sort { $a->{time} <=> $b->{time} } grep { "$_->{method} $_->{path}" =~ $form{$name}{to} && $_->{body} =~ /\Q$text\E/ } @requests;
		my ($inbox, $row) = @{ $arrived{$n} };

		push @{ $took{$name}{lost} }, $n if !$request || !$inbox || !$row;
		next if !$request || !$inbox || !$row;
		my ($asked) = sort { $a <=> $b } map { $_->{time} } grep { $_->{method} eq 'GET' && $_->{time} >= $inbox && "$_->{path}?$_->{query}" =~ /\b\Q$id\E\b/ } @requests;
		push @{ $took{$name}{asked} }, 1000 * (($asked // $row) - $inbox);
		push @{ $took{$name}{row} }, 1000 * ($row - $inbox);
		push @{ $took{$name}{sent} }, 1000 * ($request->{time} - $inbox);
	}
	for my $name (sort keys %took)
	{
		my %p = map { my $what = $_; my @s = sort { $a <=> $b } @{ $took{$name}{$what} // [0] }; $what => [ @s[ @s / 2, @s * 0.95 ] ] } qw(asked row sent);
		diag(sprintf '%s, %s: asked for after %.0f ms (p50), %.0f (p95); in its row after %.0f and %.0f; at the other vendor after %.0f and %.0f; %d changes', $title, $name, @{ $p{asked} }, @{ $p{row} }, @{ $p{sent} }, scalar @{ $took{$name}{row} // [] });
		is(scalar @{ $took{$name}{lost} // [] }, 0, "$title, $name: each arrived") or diag(join ' ', @{ $took{$name}{lost} });
	}
	diag('load ' . (slurp_file('/proc/loadavg') =~ /^(\S+)/)[0]);
	return;
}

# A few that make plans and memory.
for my $name ((sort keys %form) x 2) { change($name); sleep 1 }
settled('what makes plans has arrived');

my $first = @made;
for my $n (1 .. $count)
{
	for my $name (sort keys %form) { change($name); sleep 0.8 }
}
settled('changes one at a time have arrived');
report('one at a time', $first);

$first = @made;
my $began = time;
for my $n (0 .. $rate * 20 - 1)
{
	change((sort keys %form)[ $n % 4 ]);
	my $ahead = $began + ($n + 1) / $rate - time;
	sleep $ahead if $ahead > 0;
}
settled('many changes have arrived');
report(sprintf('%.0f a second', (@made - $first) / (time - $began)), $first);
is($door->stop, 0, 'the door ends well');
done_testing();
