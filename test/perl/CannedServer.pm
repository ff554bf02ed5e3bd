package CannedServer;

# An HTTP server that gives every request the reply it was told to give, and
# remembers the last request.  For replies that no simulator would make up.
#
#	my $server = CannedServer->start($directory);
#	$server->reply(429, [ 'Content-Type: text/plain' ], 'Slow down');
#	... a call to $server->url ...
#	my ($line, $headers, $body) = $server->request;

use strict;
use warnings;

use IO::Socket::INET;

sub start
{
	my ($class, $directory) = @_;
	my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', ReuseAddr => 1)
	  or die "could not listen: $!";
	my $self = bless { directory => $directory, url => 'http://127.0.0.1:' . $listener->sockport, owner => $$ }, $class;

	$self->{pid} = fork() // die "could not fork: $!";
	if ($self->{pid} == 0)
	{
		# no END blocks and destructors of the test in here
		eval { $self->_serve($listener); };
		print STDERR $@;
		require POSIX;
		POSIX::_exit(1);
	}
	close $listener;
	return $self;
}

sub url { return $_[0]->{url}; }

# What to reply from now on.  The body is bytes.
sub reply
{
	my ($self, $status, $headers, $body) = @_;

	_write("$self->{directory}/reply", join("\r\n", "HTTP/1.1 $status Status", @$headers,
		'Content-Length: ' . length($body), 'Connection: close', '', '') . $body);
}

# The last request: its first line, its headers as a hash with names in lower
# case, its body.
sub request
{
	my ($self) = @_;
	my ($head, $body) = split /\r\n\r\n/, _read("$self->{directory}/request"), 2;
	my ($line, @headers) = split /\r\n/, $head;

	return ($line, { map { my ($name, $value) = split /:\s*/, $_, 2; (lc $name => $value) } @headers }, $body);
}

sub _serve
{
	my ($self, $listener) = @_;

	while (my $client = $listener->accept)
	{
		my $request = '';

		while ($request !~ /\r\n\r\n/)
		{
			sysread $client, $request, 65536, length $request or last;
		}
		my ($length) = $request =~ /^content-length:\s*(\d+)/im;
		while (length($request) < index($request, "\r\n\r\n") + 4 + ($length // 0))
		{
			sysread $client, $request, 65536, length $request or last;
		}
		_write("$self->{directory}/request", $request);
		my $reply = _read("$self->{directory}/reply");
		while (length $reply)
		{
			my $n = syswrite $client, $reply or last;
			substr $reply, 0, $n, '';
		}
		close $client;
	}
}

sub _write
{
	my ($file, $text) = @_;

	open my $fh, '>:raw', "$file.new" or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	rename "$file.new", $file or die "$file: $!";
}

sub _read
{
	my ($file) = @_;

	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar <$fh>;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);

	return if $$ != $self->{owner};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
}

1;
