package Simulator::Ledger;

# What happened: every write that was applied, how often each endpoint was
# called, the last requests as they came, and how many records were created
# more than once.  A test that allows a lost or doubled write cannot pass by
# looking at the final state alone, so it looks here.

use Mojo::Base -base, -signatures;
use Digest::SHA qw(sha256_hex);
use Mojo::Util ();
use Time::HiRes ();

has 'clock';
has keep => 2000;    # requests kept in the log
has keep_body => 65536;    # bytes of a request body kept

my $UUID = qr/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/i;

sub reset ($self)
{
	delete @$self{qw(writes calls endpoints markers requests request_seq)};
}

# Record a write.  The caller gives vendor, account, operation, object,
# status, request; for creates also the text in which a marker may stand.
sub write ($self, %write)
{
	my $request = delete $write{request};
	my $texts = delete $write{texts};
	my $writes = $self->{writes} //= [];

	if ($request)
	{
		@write{qw(method path idempotency_key body_sha256 request)} = (
			$request->{method}, $request->{path},
			$request->{headers}->header('Idempotency-Key'),
			sha256_hex($request->{body}), $request->{seq});
	}
	if ($texts)
	{
		for my $text (grep { defined } @$texts)
		{
			next if $text !~ /zcsync-($UUID)/;
			$write{marker} = lc $1;
			push @{ $self->{markers}{ $write{vendor} }{marker}{ lc $1 } }, $write{object};
			last;
		}
	}
	push @{ $self->{markers}{ $write{vendor} }{external_id}{"$write{account} $write{external_id}"} },
	  $write{object}
	  if $texts && defined $write{external_id};
	$self->_count(\%write) if $request;
	push @$writes, { seq => 1 + @$writes, time => $self->clock->now, %write };
}

# Count the calls that wrote, and what they wrote: one call may write several.
sub _count ($self, $write)
{
	my $count = $self->{calls}{ $write->{vendor} }{ $write->{account} // '-' }{ $write->{entity} // 'all' } //= { calls => 0, elements => 0, last => 0 };

	$count->{calls}++ if $write->{request} != $count->{last};
	$count->{elements}++;
	$count->{last} = $write->{request};
}

# vendor => account => entity => {calls, elements}
sub write_calls ($self)
{
	my %result;

	for my $vendor (keys %{ $self->{calls} // {} })
	{
		for my $account (keys %{ $self->{calls}{$vendor} })
		{
			my $entities = $self->{calls}{$vendor}{$account};
			$result{$vendor}{$account} = { map { $_ => { calls => $entities->{$_}{calls}, elements => $entities->{$_}{elements} } } keys %$entities };
		}
	}
	return \%result;
}

# Writes with a seq above $since, filtered by equal values of keys.
sub writes ($self, $since = 0, $limit = 10000, %filter)
{
	my $writes = $self->{writes} // [];
	my @found;

	for my $i ($since .. $#$writes)
	{
		my $write = $writes->[$i];
		next if grep { ($write->{$_} // '') ne $filter{$_} } keys %filter;
		push @found, $write;
		last if @found >= $limit;
	}
	return \@found;
}

sub last_seq ($self)
{
	return scalar @{ $self->{writes} // [] };
}

# A request came in: number it and keep it.
sub request ($self, $request)
{
	my $log = $self->{requests} //= [];

	$request->{seq} = ++$self->{request_seq};
	$request->{time} = Time::HiRes::time();
	push @$log, $request;
	splice @$log, 0, @$log - $self->keep if @$log > 1.25 * $self->keep + 100;
}

# A request was answered, or given up: status 0 stands for no answer.
sub answered ($self, $request, $status)
{
	my $endpoint =
	  $self->{endpoints}{ $request->{vendor} }{ $request->{account} // '-' }{ $request->{endpoint} // 'none' }
	  //= { calls => 0, status => {} };

	$request->{status} = $status;
	$endpoint->{calls}++;
	$endpoint->{status}{$status}++;
}

# The last requests as JSON-able hashes; credentials are blanked.
sub requests ($self, $since = 0, $limit = 100, %filter)
{
	my @found;
	my $path = delete $filter{path};

	for my $request (reverse @{ $self->{requests} // [] })
	{
		last if $request->{seq} <= $since || @found >= $limit;
		next if defined $path && $request->{path} !~ $path;
		next if grep { ($request->{$_} // '') ne $filter{$_} } keys %filter;
		push @found, $self->_show($request);
	}
	return [ reverse @found ];
}

sub _show ($self, $request)
{
	my $headers = $request->{headers}->to_hash;
	my $body = substr $request->{body}, 0, $self->keep_body;

	for my $name (grep { /^(?:authorization|cookie)$/i } keys %$headers)
	{
		$headers->{$name} =~ s/^(Basic|Bearer) .*|.*/($1 ? "$1 " : '') . '***'/se;
	}
	# of a form
	$body =~ s/((?:^|&)(?:client_secret|password|code|refresh_token)=)[^&]*/$1***/g if $body !~ /^\s*[\[{]/;
	$body =~ s/("(?:client_secret|password|code|refresh_token|access_token)"\s*:\s*")[^"]*/$1***/g;
	return {
		(map { $_ => $request->{$_} } qw(seq time vendor account endpoint method path query status)),
		headers => $headers,
		body => Mojo::Util::decode('UTF-8', $body) // "base64:" . Mojo::Util::b64_encode($body, ''),
	};
}

sub stats ($self)
{
	my %duplicates;

	for my $vendor (keys %{ $self->{markers} // {} })
	{
		for my $kind (keys %{ $self->{markers}{$vendor} })
		{
			my $seen = $self->{markers}{$vendor}{$kind};
			my @double = grep { @{ $seen->{$_} } > 1 } sort keys %$seen;
			my $extra = 0;
			$extra += @{ $seen->{$_} } - 1 for @double;
			$duplicates{$vendor}{$kind} = {
				created => scalar keys %$seen,
				duplicates => $extra,
				examples => [ map { { $kind => $_, objects => [ grep { defined } @{ $seen->{$_} }[ 0 .. 9 ] ] } } splice @double, 0, 20 ],
			};
		}
	}
	return {
		requests => $self->{request_seq} // 0,
		writes => $self->last_seq,
		write_calls => $self->write_calls,
		endpoints => $self->{endpoints} // {},
		duplicates => \%duplicates,
	};
}

1;
