package Simulator::Process;

# Start the simulator from a test and talk to its control endpoints.  The
# process ends with this object, or with the test if that dies.
#
#	my $simulator = Simulator::Process->start('--tickets', 500);
#	$simulator->url;                               # http://127.0.0.1:PORT
#	$simulator->post('faults', { fault => 'hang' });
#	$simulator->get('ledger', vendor => 'clickup')->{writes};

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Spec;
use HTTP::Tiny;
use IPC::Open2 qw(open2);
use JSON::PP ();

my $SCRIPT = File::Spec->rel2abs(dirname(__FILE__) . '/../../simulator.pl');

sub start
{
	my ($class, @options) = @_;
	my $pid = open2(my $out, my $in, $^X, $SCRIPT, '--watch-stdin', '--quiet', @options);
	my $line = <$out> // '';
	my ($port) = $line =~ /^listening on 127\.0\.0\.1:(\d+)$/ or die "simulator did not start: $line";
	my $tls = grep { $_ eq '--tls' } @options;
	my ($ca) = $tls && <$out> =~ /^ca (.+)$/;

	return bless {
		pid => $pid, in => $in, out => $out, port => $port, ca => $ca,
		http => HTTP::Tiny->new(timeout => 60, SSL_options => { SSL_verify_mode => 0 }),
		url => ($tls ? 'https' : 'http') . "://127.0.0.1:$port",
	}, $class;
}

sub url { return $_[0]{url} }
sub port { return $_[0]{port} }
sub ca { return $_[0]{ca} }
sub pid { return $_[0]{pid} }

# The base addresses that a client is to be given.
sub zendesk
{
	my ($self, $subdomain) = @_;
	return "$self->{url}/zendesk/" . ($subdomain // 'acme');
}

sub clickup
{
	my ($self) = @_;
	return "$self->{url}/clickup";
}

sub halopsa
{
	my ($self, $instance) = @_;
	return "$self->{url}/halopsa/" . ($instance // 'acme');
}

# GET /_control/$what with query parameters.
sub get
{
	my ($self, $what, %query) = @_;
	my $query = $self->{http}->www_form_urlencode(\%query);
	return $self->_answer($self->{http}->get("$self->{url}/_control/$what?$query"));
}

# POST a structure to /_control/$what.
sub post
{
	my ($self, $what, $body) = @_;
	return $self->_answer($self->{http}->post("$self->{url}/_control/$what", { content => JSON::PP->new->utf8->encode($body // {}) }));
}

# Drop all faults.
sub no_faults
{
	my ($self) = @_;
	return $self->_answer($self->{http}->delete("$self->{url}/_control/faults"));
}

sub _answer
{
	my ($self, $reply) = @_;
	die "simulator control: $reply->{status} $reply->{content}" if !$reply->{success};
	return JSON::PP->new->utf8->decode($reply->{content});
}

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	close $self->{in};
	kill 'TERM', $pid;
	waitpid $pid, 0;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->stop;
}

1;
