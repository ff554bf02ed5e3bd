# Connections to vendors are closed when nothing was sent for
# zcsync.http_idle_timeout, and stay open until then.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);
use ZcsyncFlow;
use ZcsyncTest;

plan skip_all => 'there is no /proc to look into' if !-e '/proc/net/tcp';

my $flow = ZcsyncFlow->start('main', tickets => 10, conf => 'zcsync.http_idle_timeout = 1h');
my ($node, $simulator) = ($flow->node, $flow->simulator);
my %port = map { ($_ => 1) } map { m{:(\d+)} ? $1 : () } $simulator->zendesk, $simulator->clickup;

# Connections of the worker to the vendors.
sub connections
{
	my $pid = $flow->value(q{SELECT pid FROM zcsync.stat_workers WHERE role = 'worker' AND database = current_database()});
	my %own = map { (readlink // '') =~ /^socket:\[(\d+)\]/ ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
	my $open = 0;

	open my $sockets, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
	while (my $line = <$sockets>)
	{
		my (undef, undef, $remote, $state, undef, undef, undef, undef, undef, $inode) = split ' ', $line;

		next if $remote !~ /:([0-9A-F]{4})$/ || !$port{ hex $1 };
		$open++ if $state eq '01' && $own{$inode};		# ESTABLISHED
	}
	close $sockets;
	return $open;
}

sub wait_for_none
{
	my ($what) = @_;
	my $until = time + 120;

	sleep 1 while connections() > 0 && time < $until;
	return is(connections(), 0, $what);
}

$flow->mirror;
$flow->value(q{UPDATE zcsync.streams SET pull_interval = '1 day', next_pull_at = now() + interval '1 day'});
wait_until($node, 'postgres', 'SELECT count(*) = 0 FROM zcsync.sync_queue', 'there is nothing to do any more');
cmp_ok(connections(), '>', 0, 'connections stay open');
wait_for_rounds(worker_pid($node, 'postgres'), 8);
cmp_ok(connections(), '>', 0, 'for the next call');
$node->append_conf('postgresql.conf', 'zcsync.http_idle_timeout = 1s');
$node->reload;
$flow->value(q{SELECT zcsync.refresh('acme/tickets')});
wait_until($node, 'postgres', 'SELECT count(*) = 0 FROM zcsync.sync_queue', 'a call is made');
wait_for_none('they are closed when nothing was sent for so long');
done_testing();
