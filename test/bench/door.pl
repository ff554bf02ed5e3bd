# How many deliveries of webhooks a second get through nginx with TLS and zcsync-door
# into the inbox, and how long each waits for its answer: as many as go, then a thousand
# a second.  What each process computes is told as well, since machines differ.
#
#	ZCSYNC_BENCH_DELIVERIES=n	of each run (20000)

use strict;
use warnings;
use File::Basename qw(dirname);
use List::Util qw(sum);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use Door;
use Nginx;
use ZcsyncTest;

my $count = $ENV{ZCSYNC_BENCH_DELIVERIES} // 20000;
my $directory = PostgreSQL::Test::Utils::tempdir;
my $top = dirname(__FILE__) . '/../..';
my ($curl, $libraries) = map { `curl-config --$_` =~ s/\s+\z//r } qw(cflags libs);

system_or_bail("cc -O2 -o $directory/deliveries $top/test/bench/deliveries.c $curl $libraries -lcrypto");
Door::build();
# no worker: what is measured is the way into the inbox
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.allowed_hosts = 'acme.zendesk.com'\nlog_statement = none\n");
$node->start;
setup_zcsync($node);

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]") }

my $path = Door::open_webhook($node);
mkdir "$directory/spool", 0700 or die "spool: $!";
my $door = Door->start($node, spool => "$directory/spool");
my $nginx = Nginx->start($directory, $door->port);

# Send so many; returns what deliveries.c prints.
sub deliver
{
	my ($number, $connections, $rate) = @_;
	my $said = `$directory/deliveries @{[ $nginx->url ]}/$path @{[ $nginx->ca ]} acme-secret $number $connections $rate`;

	is($?, 0, "$number deliveries are answered with 200") or diag($nginx->log, $door->log);
	return split ' ', $said;
}

sub processes
{
	return (nginx => [ $nginx->pids ], door => [ $door->pid ], server => [ split /\n/, value('SELECT pid FROM pg_stat_activity WHERE usename = $$zcsync_door$$') ]);
}
sub used { my ($pids) = @_; return sum(map { cpu_seconds($_) } @$pids) }

deliver(2000, 16, 0);    # plans, connections and memory are there then
my $sent = 2000;
for my $run ([ 'as many as go, 32 at a time', 32, 0 ], [ 'a thousand a second', 64, 1000 ])
{
	my ($name, $connections, $rate) = @$run;
	my %of = processes();
	my %before = map { $_ => used($of{$_}) } keys %of;
	my ($a_second, $p50, $p95, $p99, $own) = deliver($count, $connections, $rate);
	my %cpu = map { $_ => 1e6 * (used($of{$_}) - $before{$_}) / $count } keys %of;

	$sent += $count;
	diag(sprintf '%s: %d a second; answered after %.1f ms (p50), %.1f (p95), %.1f (p99); CPU of a delivery: nginx %.0f µs, door %.0f, server %.0f, sender %.0f; load %s',
		$name, $a_second, $p50, $p95, $p99, @cpu{qw(nginx door server)}, 1e6 * $own / $count, slurp_file('/proc/loadavg') =~ /^(\S+)/);
	is(value('SELECT count(*) FROM zcsync.inbox'), $sent, "$name: each is in the inbox once");
}
cmp_ok(-s "$directory/spool/deliveries" // 0, '==', 0, 'none had to wait in the spool');
is($door->stop, 0, 'the door ends well');
$node->stop;
done_testing();
