package Door;

# A zcsync-door of a test, built from src/door, which ends with the test.
#
#	Door::build();
#	my $path = Door::open_webhook($node);
#	my $door = Door->start($node, spool => $directory);
#	my $status = $door->post($path, $headers, $body);
#	$door->stop;

use strict;
use warnings;
use File::Basename qw(dirname);
use HTTP::Tiny;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $top = dirname(__FILE__) . '/../..';
my @started;

END
{
	my $status = $?;
	eval { $_->{run}->kill_kill(grace => 5) } for @started;
	$? = $status;
}

sub build
{
	my $said = `make -s -C '$top' door 2>&1`;

	is($?, 0, 'zcsync-door is built') or BAIL_OUT($said);
	return;
}

# An account of Zendesk, and the role of the door; returns the path of the account's webhook,
# whose secret is "acme-secret".
sub open_webhook
{
	my ($node) = @_;

	my @said = split /\n/, $node->safe_psql('postgres', <<'SQL');
SET client_min_messages = error;
SELECT FROM zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme"}', '{"email": "a@example.com", "api_token": "x"}');
SELECT FROM zcsync.add_stream('acme', 'tickets');
CREATE ROLE zcsync_door LOGIN;
GRANT USAGE ON SCHEMA zcsync TO zcsync_door;
GRANT EXECUTE ON FUNCTION zcsync.receive_webhook TO zcsync_door;
SELECT zcsync.set_webhook('acme', 'acme-secret');
SQL
	return $said[-1];
}

# Options: spool, spool_max (MB), database, program
sub start
{
	my ($class, $node, %options) = @_;
	my $log = "$PostgreSQL::Test::Utils::tmp_check/door." . scalar(@started) . '.log';
	my $self = bless { out => '', log => $log }, $class;
	my @command = ("$top/src/door/zcsync-door", '--listen=127.0.0.1:0', '--name=test-door',
		'--database=' . ($options{database} // sprintf 'host=%s port=%s dbname=postgres user=zcsync_door', $node->host, $node->port));

	push @command, "--spool=$options{spool}" if $options{spool};
	push @command, "--spool-max=$options{spool_max}" if $options{spool_max};
	$self->{run} = IPC::Run::start(\@command, '<', \undef, '>', \$self->{out}, '2>', $log);
	push @started, $self;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	while ($self->{out} !~ /listening on port (\d+)/)
	{
		die 'the door does not listen: ' . slurp_file($log) if time > $deadline || !$self->{run}->pumpable;
		$self->{run}->pump_nb;
		sleep 0.02;
	}
	($self->{port}) = $self->{out} =~ /listening on port (\d+)/;
	return $self;
}

sub port { return $_[0]{port} }
sub log { return slurp_file($_[0]{log}) }
sub pid { return $_[0]{run}{KIDS}[0]{PID} }

# The status of a POST, 599 where there was no answer.
sub post
{
	my ($self, $path, $headers, $body) = @_;

	$self->{http} //= HTTP::Tiny->new(timeout => 30);
	return $self->{http}->post("http://127.0.0.1:$self->{port}/$path",
		{ headers => { 'content-type' => 'application/json', %$headers }, content => $body })->{status};
}

# Wait until its log says something.
sub wait_for
{
	my ($self, $pattern, $name) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;

	sleep 0.05 while $self->log !~ $pattern && time < $deadline;
	return like($self->log, $pattern, $name);
}

# End it, by TERM or another signal.
sub stop
{
	my ($self, $signal) = @_;

	$self->{run}->signal($signal // 'TERM');
	eval { $self->{run}->finish };
	return $? >> 8;
}

1;
