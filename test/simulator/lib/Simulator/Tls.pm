package Simulator::Tls;

# A certificate authority of our own, and a certificate of its for 127.0.0.1
# and localhost or, to be refused by every careful client, another host.

use Mojo::Base -strict, -signatures;
use File::Path qw(make_path);

# Returns the paths of the CA's certificate, the certificate and its key.
sub make ($dir, $host = undef)
{
	my ($ca, $ca_key, $cert, $key, $request) = map { "$dir/$_" } qw(ca.crt ca.key server.crt server.key server.csr);
	my $names = defined $host ? "DNS:$host" : 'IP:127.0.0.1,DNS:localhost';

	make_path($dir);
	_openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 30, '-subj', '/CN=Simulator CA',
		'-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', $ca_key, '-out', $ca);
	_openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=' . ($host // 'localhost'), '-keyout', $key, '-out', $request);
	open my $extensions, '>', "$dir/server.ext" or die "could not write \"$dir/server.ext\": $!\n";
	print $extensions "subjectAltName=$names\n";
	close $extensions or die "could not write \"$dir/server.ext\": $!\n";
	_openssl('x509', '-req', '-in', $request, '-CA', $ca, '-CAkey', $ca_key, '-CAcreateserial', '-days', 30,
		'-extfile', "$dir/server.ext", '-out', $cert);
	return ($ca, $cert, $key);
}

sub _openssl (@arguments)
{
	my $pid = open my $output, '-|' // die "could not fork: $!\n";

	if (!$pid)
	{
		open STDERR, '>&', \*STDOUT;
		exec 'openssl', @arguments or exit 127;
	}
	my $text = join '', <$output>;
	close $output or die "openssl $arguments[0] failed:\n$text";
}

1;
