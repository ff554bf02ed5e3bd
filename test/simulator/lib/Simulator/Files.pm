package Simulator::Files;

# The content of files, and the host that serves it: not the vendors' own, as
# with the real ones.  A request there with credentials is refused.
#
# A file of a vendor has content if it was made with "content" or "bytes" (so
# many of a pattern), or came by an upload.  More can be said of it: "link"
# (HaloPSA tells the address in place of the content, or the one that is given), "gone" (404), "page" (a
# web page comes), "elsewhere" (another host's name), "scanned" (what Zendesk says of malware
# when asked for the file itself).

use Mojo::Base 'Simulator::Vendor', -signatures;
use Digest::SHA qw(sha256_hex);
use Mojo::Util ();
use Simulator::Vendor qw(fail);

has origin => 'http://127.0.0.1';    # of the simulator, as the last request called it
has stored => sub { {} };
has received => sub { [] };

my @OWN = qw(content bytes link gone page elsewhere scanned);

sub name ($self) { return 'content' }

sub new ($class, @arguments)
{
	return $class->SUPER::new(@arguments)->add_routes('GET :id/:name' => 'serve');
}

sub reset ($self, $options)
{
	$self->stored({});
	$self->received([]);
}

sub locate ($self, $q) { $q->{account} = 'content' }

sub dispatch ($self, $q)
{
	fail(404, 'no such page') if !$q->{handler};
	return $self->serve($q);
}

# Take the content out of the description of a file; returns what is left, with the size.
sub keep ($self, $id, $file)
{
	my %left = %$file;
	my %own = map { $_ => delete $left{$_} } @OWN;

	return \%left if !defined $own{content} && !defined $own{bytes};
	$own{content} //= substr('0123456789abcdef' x (1 + $own{bytes} / 16), 0, $own{bytes});
	$self->stored->{$id} = \%own;
	$left{size} //= length $own{content};
	return \%left;
}

# Note a file that a vendor got.
sub receive ($self, $id, $content, %more)
{
	$self->stored->{$id} = { content => $content };
	push @{ $self->received }, { id => "$id", size => length $content, sha256 => sha256_hex($content), %more };
}

# Where the content of a file is; undef if it has none.
sub address ($self, $id, $name)
{
	my $file = $self->stored->{$id} // return;
	my $host = $file->{elsewhere} // 'localhost';

	return ($self->origin =~ s{//[^/:]+}{//$host}r) . "/content/$id/" . Mojo::Util::url_escape($name);
}

sub content ($self, $id)
{
	my $file = $self->stored->{$id};

	return !$file || $file->{gone} ? undef : $file->{content};
}

sub serve ($self, $q)
{
	my $file = $self->stored->{ $q->{p}{id} };

	fail(400, 'Only one auth mechanism allowed') if defined $q->{headers}->authorization;
	fail(404, 'NoSuchKey') if !$file || $file->{gone};
	return (200, '<html><body>Please sign in</body></html>', { 'Content-Type' => 'text/html; charset=utf-8' }) if $file->{page};
	return (200, $file->{content}, { 'Content-Type' => 'application/octet-stream' });
}

1;
