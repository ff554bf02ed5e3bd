package Nginx;

# An nginx with TLS before a zcsync-door, in the configuration that doc/webhooks.md
# shows, with names of this machine.  It ends with the test.
#
#	my $nginx = Nginx->start($directory, $door->port);
#	$nginx->url;    # https://localhost:PORT
#	$nginx->ca;

use strict;
use warnings;
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

use Simulator::Tls;

my $top = dirname(__FILE__) . '/../..';
my @started;

END
{
	my $status = $?;
	eval { $_->{run}->signal('QUIT'); $_->{run}->kill_kill(grace => 5) } for @started;
	$? = $status;
}

# All that it writes is in the directory.
sub start
{
	my ($class, $directory, $door_port) = @_;
	my ($shown) = slurp_file("$top/doc/webhooks.md") =~ /^(    limit_req_zone .*?^    \}\n)/ms;
	my ($ca, $certificate, $key) = Simulator::Tls::make("$directory/tls");
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $self = bless { ca => $ca, port => $port, log => "$directory/error.log", said => '' }, $class;

	ok($shown, 'doc/webhooks.md shows a configuration of nginx') or BAIL_OUT('no configuration');
	$shown =~ s/listen 443 ssl/listen 127.0.0.1:$port ssl/;
	$shown =~ s/127\.0\.0\.1:8471/127.0.0.1:$door_port/;
	$shown =~ s{/etc/ssl/certs/hooks\.pem}{$certificate};
	$shown =~ s{/etc/ssl/private/hooks\.key}{$key};
	$shown =~ s/rate=200r\/s/rate=100000r\/s/;    # that many never come from one address
	append_to_file("$directory/nginx.conf", <<"CONF");
daemon off;
pid $directory/nginx.pid;
error_log $directory/error.log;
events { worker_connections 200; }
http {
    client_body_temp_path $directory/body;
    proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi;
    scgi_temp_path $directory/scgi;
$shown
}
CONF
	$self->{run} = IPC::Run::start([ 'nginx', '-e', $self->{log}, '-c', "$directory/nginx.conf" ], '<', \undef, '>&', \$self->{said});
	push @started, $self;
	return $self;
}

sub url { return "https://localhost:$_[0]{port}" }
sub ca { return $_[0]{ca} }
sub log { return $_[0]{said} . (-e $_[0]{log} ? slurp_file($_[0]{log}) : '') }

# Its processes: the one that listens, and the one that works.
sub pids
{
	my ($self) = @_;
	my $pid = $self->{run}{KIDS}[0]{PID};

	return ($pid, split ' ', slurp_file("/proc/$pid/task/$pid/children"));
}

1;
