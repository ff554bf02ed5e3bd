# Clients of Zendesk and ClickUp that others wrote, of fixed versions from the
# registry of npm, find in the simulator what they find at the vendors: comments,
# files, webhooks, people, search and fields.

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy qw(copy);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../simulator/lib';
use Simulator::Process;

my $directory = PostgreSQL::Test::Utils::tempdir;
my $source = dirname(__FILE__) . '/clients';

# Run a command there; returns what it printed.
sub command
{
	my ($name, @words) = @_;

	my $ended = IPC::Run::run(\@words, '<', \undef, '>', \my $out, '2>', \my $err, init => sub { chdir $directory or die "chdir: $!" }, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	ok($ended, $name) or diag("$out$err");
	return $out;
}

for my $name (map { substr $_, 1 + length $source } glob "$source/*")
{
	copy("$source/$name", "$directory/$name") or die "copy: $!";
}
{
	local $ENV{npm_config_cache} = "$directory/cache";
	command('the clients are installed', qw(npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier)) or BAIL_OUT('no clients');
}

my $simulator = Simulator::Process->start('--tickets', 1200, '--zendesk-plan', 'none', '--clickup-plan', 'none', '--tls', '--state-dir', "$directory/tls");
for my $client ([ zendesk => $simulator->zendesk ], [ clickup => $simulator->clickup, $directory ])
{
	my ($name, @arguments) = @$client;
	local $ENV{NODE_EXTRA_CA_CERTS} = $simulator->ca;
	my @lines = split /\n/, command("$name: the script ends well", 'node', "$name.js", @arguments);
	is(pop(@lines), 'done', "$name: it came to its end");
	like($_, qr/^ok /, "$name: " . s/^(?:not )?ok //r) for @lines;
	is(join(', ', map { "$_->{method} $_->{path} $_->{status}" } grep { $_->{status} >= 400 } @{ $simulator->get('requests', vendor => $name, limit => 1000)->{requests} }), '', "$name: nothing was refused");
}
$simulator->stop;

done_testing();
