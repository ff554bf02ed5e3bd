package Simulator::Zendesk::Files;

# Zendesk's uploads, which wait for a comment, and its attachments.
#
# The subs become methods of Simulator::Zendesk.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Simulator::Vendor qw(fail);

our @EXPORT = qw(file_routes upload upload_delete uploaded attachment attachment_content expire_uploads);

my $MINUTES = 60;    # life of an upload's token

sub file_routes ($self)
{
	return (
		'POST api/v2/uploads' => 'upload',
		'DELETE api/v2/uploads/:token' => 'upload_delete',
		'GET attachments/token/:id/:name' => 'attachment_content',
		'GET api/v2/attachments/:id' => 'attachment');
}

# A token may be given to put another file beside those that it stands for.
sub upload ($self, $q)
{
	my $account = $q->{a};
	my ($name, $token) = map { $q->{params}->param($_) // '' } qw(filename token);

	fail(400, { error => { title => 'Invalid attribute', message => 'Parameter filename is required' } }) if $name eq '';
	$self->record_invalid(attachment => [ 'Attachment: cannot be blank', 'BlankValue' ]) if $q->{body} eq '';
	my $upload = $token eq '' ? { files => [] } : _the_upload($self, $account, $token);
	my $type = $q->{headers}->content_type // '';
	my $file = $account->attachment({ file_name => $name, content_type => $type =~ s/;.*//r || 'application/binary', size => length $q->{body}, content => $q->{body} });
	$self->files->receive($file->{id}, $q->{body}, vendor => 'zendesk', name => $name, type => $type);
	push @{ $upload->{files} }, $file;
	$token = join '', map { sprintf '%04x', int rand 65536 } 1 .. 8 if $token eq '';
	$upload->{expires} = $self->clock->now + $MINUTES * 60;
	$account->uploads->{$token} = $upload;
	$self->wrote($q, 'upload', $file->{id}, 201);
	return (201, { upload => { token => $token, expires_at => $self->clock->iso($upload->{expires}), attachment => $file, attachments => $upload->{files} } });
}

sub _the_upload ($self, $account, $token)
{
	my $upload = $account->uploads->{$token};

	$self->record_invalid(base => [ 'Attachment: upload token is invalid or has expired', 'InvalidValue' ]) if !$upload || $upload->{expires} <= $self->clock->now;
	return $upload;
}

sub upload_delete ($self, $q)
{
	delete $q->{a}->uploads->{ $q->{p}{token} } // $self->not_found;
	$self->wrote($q, 'delete_upload', $q->{p}{token}, 204);
	return (204);
}

# The files of the tokens that a comment brings, which end with it.
sub uploaded ($self, $account, $tokens)
{
	$self->invalid_attribute('comment.uploads', 'must be an array') if defined $tokens && ref $tokens ne 'ARRAY';
	my @files = map { @{ _the_upload($self, $account, $_)->{files} } } @{ $tokens // [] };

	delete $account->uploads->{$_} for @{ $tokens // [] };
	return \@files;
}

sub attachment ($self, $q)
{
	my $file = $q->{a}->attachments->{ $q->{p}{id} } // $self->not_found;
	my $own = $self->files->stored->{ $q->{p}{id} };

	return (200, { attachment => { %$file, $own && $own->{scanned} ? (malware_scan_result => $own->{scanned}) : () } });
}

# The content is elsewhere, at an address that opens without credentials.
sub attachment_content ($self, $q)
{
	my $url = $self->files->address(@{ $q->{p} }{qw(id name)}) // $self->not_found;

	return (302, '<html><body>You are being redirected.</body></html>', { Location => $url, 'Content-Type' => 'text/html; charset=utf-8' });
}

# No upload of the account is good any more.
sub expire_uploads ($self, $subdomain)
{
	$_->{expires} = 0 for values %{ $self->accounts->{$subdomain}->uploads };
}

1;
