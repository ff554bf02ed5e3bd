package Simulator;

# A stand-in for the vendors' APIs, for tests and demonstrations.
#
# One process serves all vendors: a request whose path begins with a vendor's
# name goes to that vendor's module, one that begins with /_control to
# Simulator::Control.  Each vendor request is logged, may meet a scripted
# fault, is answered, and is counted.  State lives in memory only.

use Mojo::Base 'Mojolicious', -signatures;
use IO::Compress::Gzip qw(gzip);
use Mojo::Loader qw(load_class);
use POSIX ();
use Simulator::Clock;
use Simulator::Control;
use Simulator::Faults;
use Simulator::Files;
use Simulator::Ledger;
use Simulator::Limits;
use Simulator::Webhooks;

# The registration of the vendors.
our @VENDORS = qw(Simulator::Zendesk Simulator::ClickUp Simulator::HaloPSA);

my $GZIP_FROM = 512;    # bytes; smaller replies are not compressed

has clock => sub { Simulator::Clock->new };
has faults => sub { Simulator::Faults->new };
has limits => sub ($self) { Simulator::Limits->new(clock => $self->clock) };
has ledger => sub ($self) { Simulator::Ledger->new(clock => $self->clock) };
has webhooks => sub ($self) { Simulator::Webhooks->new(clock => $self->clock) };
has options => sub { {} };
has files => sub ($self) { Simulator::Files->new(clock => $self->clock, limits => $self->limits, ledger => $self->ledger, webhooks => $self->webhooks) };
has vendors => sub { {} };

sub startup ($self)
{
	my $options = $self->options;

	$self->mode('production');
	$self->secrets(['simulator']);
	$self->log->level('fatal');
	$self->max_request_size(64 * 1024 * 1024);
	$self->ledger->keep($options->{keep_requests}) if defined $options->{keep_requests};
	for my $class (@VENDORS)
	{
		my $error = load_class($class);
		die ref $error ? $error : "no class $class\n" if $error;
		my $vendor = $class->new(
			clock => $self->clock,
			limits => $self->limits,
			ledger => $self->ledger,
			webhooks => $self->webhooks,
			files => $self->files,
			config => $options);
		$self->vendors->{ $vendor->name } = $vendor;
	}
	$self->vendors->{content} = $self->files;
	$self->restart;
	Simulator::Control->register($self);
	$self->hook(around_dispatch => sub ($next, $c) { $self->_route($next, $c) });
}

# Forget everything and seed anew.
sub restart ($self, $options = {})
{
	my %options = (%{ $self->options }, %$options);

	$self->clock->offset(0);
	$self->faults->drop;
	$self->limits->reset;
	$self->ledger->reset;
	$self->webhooks->reset;
	for my $name (sort keys %{ $self->vendors })
	{
		$self->limits->plan($name, $options{"${name}_plan"}) if $options{"${name}_plan"};
		$self->vendors->{$name}->reset(\%options);
	}
}

# Hand a request to its vendor; the others go to the controls.
sub _route ($self, $next, $c)
{
	my $url = $c->req->url;
	my $path = $url->path->to_string;

	$self->files->origin(($c->req->is_secure ? 'https' : 'http') . '://' . ($c->req->headers->host // 'localhost'));
	return $next->() if $path !~ m{^/+([a-z]+)(?:/(.*))?\z}s;
	my $vendor = $self->vendors->{$1} or return $next->();
	my $q = {
		vendor => $1,
		relative => $2 // '',
		method => $c->req->method,
		path => $path,
		query => $url->query->to_string,
		params => $url->query,
		base => $url->base,
		headers => $c->req->headers,
		body => $c->req->body,
		uploads => $c->req->content->is_multipart ? $c->req->uploads : [],
	};
	$vendor->locate($q);
	$q->{handler} = $vendor->find_route($q);
	$self->ledger->request($q);
	$self->_serve($vendor, $c, $q);
}

# Answer a request, or let a fault have its way with it.
sub _serve ($self, $vendor, $c, $q)
{
	my $fault = $self->faults->pick($q);
	my $answer = sub { return $vendor->handle($q) };

	if (!$fault)
	{
		my $reply = $answer->();
		$self->ledger->answered($q, $reply->{status});
		return _send($c, $q, $reply, $self->clock);
	}
	# The closure keeps the transaction: the client may be gone by then.
	my $tx = $c->render_later->tx;
	my $send = sub ($reply) {
		return if $tx->is_finished;
		$self->ledger->answered($q, $reply->{status});
		_send($c, $q, $reply, $self->clock);
	};
	$tx->on(finish => sub { $self->ledger->answered($q, 0) if !defined $q->{status} });
	$self->faults->play($fault, $c, $q, $answer, $send);
}

# Send a reply, compressed if the client asked for it.
sub _send ($c, $q, $reply, $clock)
{
	my $res = $c->res;
	my $headers = $res->headers;
	my $body = $reply->{body};

	$headers->header($_ => $reply->{headers}{$_}) for keys %{ $reply->{headers} };
	$headers->date(POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $clock->now))
	  if $clock->offset;
	if (length $body >= $GZIP_FROM
		&& ($q->{headers}->accept_encoding // '') =~ /gzip/i
		&& !$headers->content_encoding)
	{
		gzip(\$body => \my $packed, -Level => 1, -Minimal => 1);
		$headers->content_encoding('gzip');
		$headers->vary('Accept-Encoding');
		$body = $packed;
	}
	$res->body($body);
	$c->rendered($reply->{status});
}

1;
