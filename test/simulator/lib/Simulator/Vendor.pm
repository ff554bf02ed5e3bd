package Simulator::Vendor;

# What the simulated vendors have in common: a table of routes, a way to
# answer, and checks of JSON types.
#
# A vendor is a subclass that gives `name` (also the first path segment),
# `reset` (begin anew with the options), `locate` (whose account a request is
# for), `dispatch` (answer it), `bad_json`, and adds its routes in `new`.  A handler gets
# the request and returns (status, body, headers); anything else than a reply
# it dies with, as fail() does.  A body is a reference (encoded as JSON), a
# reference to a string (JSON already), or a string (plain text).

use Mojo::Base -base, -signatures;
use B ();
use Exporter qw(import);
use Mojo::JSON qw(decode_json encode_json);
use Mojo::Util qw(gunzip url_unescape);

our @EXPORT_OK = qw(fail is_bool is_int is_number is_string truthy);

has [qw(clock limits ledger webhooks files config)];

# Give up with a reply: fail(status, body, headers).
sub fail (@reply)
{
	die \@reply;
}

# Types of a decoded JSON value.
sub is_number ($value)
{
	return 0 if !defined $value || ref $value;
	my $flags = B::svref_2object(\$value)->FLAGS;
	return ($flags & (B::SVf_IOK | B::SVf_NOK)) && !($flags & B::SVf_POK) ? 1 : 0;
}

sub is_int ($value)
{
	return is_number($value) && $value == int $value;
}

sub is_string ($value)
{
	return defined $value && !ref $value && !is_number($value);
}

sub is_bool ($value)
{
	return ref $value eq 'JSON::PP::Boolean';
}

# A query parameter or JSON value that says yes.
sub truthy ($value)
{
	return defined $value && $value =~ /^(?:1|true)$/i ? 1 : 0;
}

# Routes are 'METHOD a/:b/c' => handler's name.  They are indexed by method
# and number of segments, so that few are looked at for a request; a literal
# segment is tried before a parameter in its place.
sub add_routes ($self, %routes)
{
	for my $route (sort { $a =~ tr/:/~/r cmp $b =~ tr/:/~/r } keys %routes)
	{
		my ($method, $path) = split / /, $route;
		my @parts = split m{/}, $path;
		push @{ $self->{routes}{ $method . @parts } },
		  { parts => \@parts, handler => $routes{$route}, name => $route };
	}
	return $self;
}

# Find the route of a request; sets endpoint and p (its parameters).
sub find_route ($self, $q)
{
	my @segments = map { /%/ ? Mojo::Util::decode("UTF-8", url_unescape($_)) // $_ : $_ } split m{/}, $q->{relative};

  ROUTE:
	for my $route (@{ $self->{routes}{ $q->{method} . @segments } // [] })
	{
		my %p;
		for my $i (0 .. $#segments)
		{
			my $part = $route->{parts}[$i];
			if ($part =~ /^:(.*)/) { $p{$1} = $segments[$i] }
			elsif ($part ne $segments[$i]) { next ROUTE }
		}
		$q->{p} = \%p;
		$q->{endpoint} = $route->{name};
		return $route->{handler};
	}
	return;
}

# Answer a request; returns a reply {status, headers, body (bytes)}.
sub handle ($self, $q)
{
	$self->expire_tokens($q->{account}) if $q->{expire_tokens};
	my ($status, $body, $headers) = eval { $self->dispatch($q) };

	if (my $error = $@)
	{
		if (ref $error eq 'ARRAY')
		{
			($status, $body, $headers) = @$error;
		}
		else
		{
			print STDERR "simulator: $q->{method} $q->{path}: $error";
			($status, $body, $headers) = (500, 'simulator error', { 'X-Simulator-Error' => 1 });
		}
	}
	my $reply = {
		status => $status,
		headers => { %{ $q->{reply_headers} // {} }, %{ $headers // {} } },
		body => '',
	};
	return $reply if !defined $body;
	$reply->{headers}{'Content-Type'} //=
	  ref $body ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8';
	$reply->{body} = !ref $body ? $body : ref $body eq 'SCALAR' ? $$body : encode_json($body);
	return $reply;
}

# The decoded JSON body of a request; undef if there is none.
sub body ($self, $q)
{
	return $q->{json} if exists $q->{json};
	my $bytes = $q->{body};

	if (($q->{headers}->content_encoding // '') =~ /gzip/i)
	{
		$bytes = $self->inflate($bytes);
	}
	return $q->{json} = undef if $bytes eq '';
	my $json = eval { decode_json($bytes) };
	$self->bad_json if $@;
	return $q->{json} = $json;
}

# End the tokens of an account, or of all accounts, now; returns how many.
# Vendors whose tokens end have a method of their own.
sub expire_tokens ($self, $account = undef)
{
	return 0;
}

sub inflate ($self, $bytes)
{
	return gunzip($bytes) // $self->bad_json;
}

1;
