#!/usr/bin/perl
#
# Run the simulator of the vendors' APIs.  See README.md.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/lib";
use Getopt::Long qw(GetOptions);
use Mojo::IOLoop;
use Mojo::Server::Daemon;
use Simulator;
use Simulator::Tls;

my %options = (
	port => 0,
	seed => 1,
	tickets => 0,
	tasks => 20,
	zendesk_plan => 'enterprise',
	clickup_plan => 'business',
	halopsa_plan => '300',
	halopsa_tickets => 20,
	halopsa_leads => 5);

GetOptions(
	'port=i' => \$options{port},
	'seed=i' => \$options{seed},
	'tickets=i' => \$options{tickets},
	'tasks=i' => \$options{tasks},
	'nasty' => \$options{nasty},
	'zendesk-plan=s' => \$options{zendesk_plan},
	'clickup-plan=s' => \$options{clickup_plan},
	'clickup-gzip' => \$options{clickup_gzip},
	'halopsa-plan=s' => \$options{halopsa_plan},
	'halopsa-tickets=i' => \$options{halopsa_tickets},
	'halopsa-leads=i' => \$options{halopsa_leads},
	'halopsa-batch=s' => \$options{halopsa_batch},
	'halopsa-retry-after' => \$options{halopsa_retry_after},
	'keep-requests=i' => \$options{keep_requests},
	'tls' => \$options{tls},
	'tls-host=s' => \$options{tls_host},
	'state-dir=s' => \$options{state_dir},
	'lib=s' => sub { unshift @INC, $_[1] },
	'vendor=s' => sub { push @Simulator::VENDORS, $_[1] },
	'watch-stdin' => \$options{watch_stdin},
	'quiet' => \$options{quiet},
	'help' => \$options{help}) && !@ARGV or exit 2;
if ($options{help})
{
	print "usage: simulator.pl [--port N] [--tickets N] [--tasks N] [--seed N] [--nasty]\n"
	  . "  [--zendesk-plan PLAN] [--clickup-plan PLAN] [--clickup-gzip] [--keep-requests N]\n"
	  . "  [--halopsa-plan PLAN] [--halopsa-tickets N] [--halopsa-leads N] [--halopsa-batch partial|atomic] [--halopsa-retry-after]\n"
	  . "  [--tls [--tls-host NAME] --state-dir DIR] [--watch-stdin] [--quiet]\n  [--lib DIR --vendor CLASS]\n";
	exit 0;
}

$SIG{TERM} = $SIG{INT} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';
STDOUT->autoflush(1);

my $app = eval { Simulator->new(options => \%options) } or die "simulator.pl: $@";
my $listen = "http://127.0.0.1:$options{port}";
my $ca;

if ($options{tls})
{
	my ($cert, $key);
	($ca, $cert, $key) = Simulator::Tls::make($options{state_dir} // die("simulator.pl: --tls needs --state-dir\n"), $options{tls_host});
	$listen = "https://127.0.0.1:$options{port}?cert=$cert&key=$key";
}

# Nothing is closed for being idle or used too often: tests hold connections
# for as long as they like.
my $daemon = Mojo::Server::Daemon->new(
	app => $app,
	listen => [$listen],
	silent => 1,
	max_requests => 1_000_000_000,
	max_clients => 4096,
	backlog => 1024,
	inactivity_timeout => 600,
	keep_alive_timeout => 600);
$daemon->start;
print 'listening on 127.0.0.1:' . $daemon->ports->[0] . "\n";
print "ca $ca\n" if defined $ca;
print STDERR "simulator: try http" . ($options{tls} ? 's' : '') . '://127.0.0.1:' . $daemon->ports->[0] . "/_control/info\n"
  if !$options{quiet};

if ($options{watch_stdin})
{
	# End when whoever started this process does.
	Mojo::IOLoop->singleton->reactor->io(
		\*STDIN => sub ($reactor, $writable) {
			exit 0 if !sysread STDIN, my $bytes, 4096;
		})->watch(\*STDIN, 1, 0);
}
Mojo::IOLoop->start;
