package AlertSink;

# A host that takes alerts, with TLS: HTTPS on one port, SMTP on two others, with TLS
# from the start and by STARTTLS.  It keeps all it was told.
#
#	my $sink = AlertSink->start($directory);
#	... zcsync.alert_hosts = '127.0.0.1', zcsync.ca_file = $sink->ca ...
#	$sink->reply('503 Service Unavailable');		# to HTTP from now on
#	my @requests = $sink->requests;		# { path, headers, body }
#	my @mails = $sink->mails;			# { from, to, user, password, message }

use strict;
use warnings;

use Cpanel::JSON::XS qw(decode_json encode_json);
use File::Basename qw(dirname);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use MIME::Base64;

use lib dirname(__FILE__) . '/../simulator/lib';
use Simulator::Tls;

sub start
{
	my ($class, $directory) = @_;
	my $self = bless { directory => $directory, owner => $$ }, $class;
	my %listener;

	($self->{ca}, $self->{cert}, $self->{key}) = Simulator::Tls::make("$directory/tls");
	foreach my $what (qw(https smtps smtp))
	{
		$listener{$what} = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "could not listen: $!";
		$self->{$what} = $listener{$what}->sockport;
	}
	$self->reply('200 OK');
	$self->{pid} = fork() // die "could not fork: $!";
	if ($self->{pid} == 0)
	{
		# no END blocks and destructors of the test in here
		local $SIG{PIPE} = 'IGNORE';
		eval { $self->_serve(%listener); };
		print STDERR $@;
		require POSIX;
		POSIX::_exit(1);
	}
	return $self;
}

sub ca { return $_[0]->{ca}; }
sub https { return "https://127.0.0.1:$_[0]->{https}"; }
sub smtps { return "smtps://127.0.0.1:$_[0]->{smtps}"; }
sub smtp { return "smtp://127.0.0.1:$_[0]->{smtp}"; }

# The status line of replies, and more headers of them.
sub reply
{
	my ($self, $status, @headers) = @_;

	_write("$self->{directory}/reply", join("\r\n", "HTTP/1.1 $status", @headers));
	return;
}

# Does the relay offer STARTTLS?
sub offer_tls
{
	my ($self, $offer) = @_;

	$offer ? unlink("$self->{directory}/plain") : _write("$self->{directory}/plain", '');
	return;
}

sub requests { return $_[0]->_kept('requests'); }
sub mails { return $_[0]->_kept('mails'); }

# Forget what came so far.
sub forget
{
	my ($self) = @_;

	unlink "$self->{directory}/requests", "$self->{directory}/mails";
	return;
}

sub _kept
{
	my ($self, $what) = @_;
	my $file = "$self->{directory}/$what";

	return () unless -e $file;
	open my $in, '<', $file or die "$file: $!";
	return map { decode_json($_) } <$in>;
}

sub _keep
{
	my ($self, $what, $said) = @_;

	open my $out, '>>', "$self->{directory}/$what" or die "$what: $!";
	print $out encode_json($said), "\n";
	close $out or die "$what: $!";
	return;
}

sub _serve
{
	my ($self, %listener) = @_;
	my $select = IO::Select->new(values %listener);

	# a process for each client, so that one that stays away holds up nobody
	local $SIG{CHLD} = 'IGNORE';
	while (my @ready = $select->can_read)
	{
		foreach my $listener (@ready)
		{
			my $client = $listener->accept or next;

			next if fork();
			alarm 60;
			eval {
				if ($listener == $listener{https}) { $self->_http($self->_tls($client)); }
				else { $self->_smtp($listener == $listener{smtps} ? $self->_tls($client) : $client); }
			};
			require POSIX;
			POSIX::_exit(0);
		}
	}
	return;
}

sub _tls
{
	my ($self, $client) = @_;

	return IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => $self->{cert}, SSL_key_file => $self->{key})
	  // die "no TLS: $IO::Socket::SSL::SSL_ERROR\n";
}

sub _http
{
	my ($self, $client) = @_;
	my ($line, $headers, $body) = ('', '', '');

	$line = <$client> // return;
	while (my $header = <$client>)
	{
		last if $header =~ /^\r?\n$/;
		$headers .= $header;
	}
	my ($length) = $headers =~ /^content-length:\s*(\d+)/im;
	read $client, $body, $length // 0;
	$self->_keep('requests', { path => (split / /, $line)[1], headers => $headers, body => $body });
	print $client _read("$self->{directory}/reply"), "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	$client->close;
	return;
}

sub _smtp
{
	my ($self, $client) = @_;
	my %mail = (to => []);
	my $secure = $client->isa('IO::Socket::SSL');
	my $say = sub { print $client "$_[0]\r\n"; $client->flush; };

	$say->('220 sink ready');
	while (my $line = <$client>)
	{
		$line =~ s/\r?\n$//;
		if ($line =~ /^(?:EHLO|HELO)/i)
		{
			$say->('250-sink');
			$say->('250-STARTTLS') unless $secure || -e "$self->{directory}/plain";
			$say->('250-AUTH PLAIN') if $secure;
			$say->('250 8BITMIME');
		}
		elsif ($line =~ /^STARTTLS/i)
		{
			$say->('220 go on');
			$client = $self->_tls($client);
			$secure = 1;
		}
		elsif ($line =~ /^AUTH PLAIN ?(\S*)/i)
		{
			my $said = $1;
			if ($said eq '') { $say->('334 '); $said = <$client>; }
			(undef, @mail{ 'user', 'password' }) = split /\0/, decode_base64($said);
			$say->('235 welcome');
		}
		elsif ($line =~ /^MAIL FROM:<(.*?)>/i) { $mail{from} = $1; $mail{secure} = $secure; $say->('250 ok'); }
		elsif ($line =~ /^RCPT TO:<(.*?)>/i) { push @{ $mail{to} }, $1; $say->('250 ok'); }
		elsif ($line =~ /^DATA/i)
		{
			$say->('354 go on');
			while (my $text = <$client>)
			{
				last if $text eq ".\r\n";
				$mail{message} .= $text;
			}
			$self->_keep('mails', \%mail);
			$say->('250 taken');
		}
		elsif ($line =~ /^QUIT/i) { $say->('221 bye'); last; }
		else { $say->('502 what?'); }
	}
	$client->close;
	return;
}

sub _write
{
	my ($file, $contents) = @_;

	open my $out, '>', "$file.new" or die "$file: $!";
	print $out $contents;
	close $out or die "$file: $!";
	rename "$file.new", $file or die "$file: $!";
	return;
}

sub _read
{
	my ($file) = @_;

	open my $in, '<', $file or die "$file: $!";
	local $/;
	return <$in>;
}

sub DESTROY
{
	my ($self) = @_;

	kill 'KILL', $self->{pid} if $self->{owner} == $$ && $self->{pid};
	return;
}

1;
