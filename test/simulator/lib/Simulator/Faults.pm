package Simulator::Faults;

# Scripted misbehaviour.  A rule says which requests it is for (vendor,
# account, method, path, body), how often it applies (skip, count, or
# probability with a seed) and what happens (fault and its parameters).  The
# first rule that matches a request wins.  README.md lists the faults.

use Mojo::Base -base, -signatures;
use IO::Compress::Gzip ();
use Mojo::IOLoop;
use Mojo::JSON ();
use Mojo::Message::Response;
use Mojo::Util ();
use Socket qw(SOL_SOCKET SO_LINGER);

has rules => sub { [] };

# Faults that stand in place of a reply: the request is applied first only if
# the rule says so.
my %INSTEAD = map { $_ => 1 } qw(hang reset status rate_limit html_502 unavailable redirect quote);

# Faults that spoil a true reply.
my %SPOIL = map { $_ => 1 }
  qw(drip truncated_json truncated_body broken_json oversize gzip_bomb header_injection content_type);

my %OTHER = map { $_ => 1 } qw(delay empty_page expire_tokens stop_at);

my $HTML = "<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n"
  . "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

# The text of a 429, by vendor.
my %RATE_LIMITED = (
	zendesk => 'Number of allowed API requests per minute exceeded',
	halopsa => 'Rate Limit Reached - 300 Requests per rolling 5 minute window');

# Add a rule; returns its id, dies with a message if it makes no sense.
sub add ($self, $rule)
{
	my %rule = %$rule;
	my $fault = $rule{fault} // '';

	@rule{qw(fault after)} = ('reset', $1 eq 'after') if $fault =~ /^reset_(before|after)$/;
	die "unknown fault \"$fault\"\n"
	  if !$INSTEAD{ $rule{fault} } && !$SPOIL{ $rule{fault} } && !$OTHER{ $rule{fault} };
	$rule{path_re} = qr/$rule{path}/ if defined $rule{path};
	$rule{body_re} = qr/$rule{match_body}/ if defined $rule{match_body};
	$rule{count} //= defined $rule{probability} ? 0 : 1;
	$rule{skip} //= 0;
	$rule{random} = $rule{seed} // 1;
	$rule{applied} = 0;
	$rule{id} = ++$self->{last_id};
	push @{ $self->rules }, \%rule;
	return $rule{id};
}

# Drop one rule or, without an id, all.
sub drop ($self, $id = undef)
{
	$self->rules(defined $id ? [ grep { $_->{id} != $id } @{ $self->rules } ] : []);
}

sub list ($self)
{
	return [
		map {
			my $rule = $_;
			+{ map { $_ => $rule->{$_} } grep { !/_re$|^random$/ } keys %$rule }
		} @{ $self->rules } ];
}

# The rule that applies to a request, if any; counts it as used.
sub pick ($self, $q)
{
	my $path = $q->{path} . ($q->{query} eq '' ? '' : "?$q->{query}");

	for my $rule (@{ $self->rules })
	{
		next if defined $rule->{vendor} && $rule->{vendor} ne $q->{vendor};
		next if defined $rule->{account} && $rule->{account} ne ($q->{account} // '');
		next if defined $rule->{method} && uc $rule->{method} ne $q->{method};
		next if $rule->{path_re} && $path !~ $rule->{path_re};
		next if $rule->{body_re} && $q->{body} !~ $rule->{body_re};
		next if $rule->{count} && $rule->{applied} >= $rule->{count};
		next if $rule->{skip} && $rule->{skip}-- > 0;
		next if defined $rule->{probability} && _random($rule) >= $rule->{probability};
		$rule->{applied}++;
		return $rule;
	}
	return;
}

# Play a rule.  $answer->() lets the vendor work and returns its reply,
# $send->(reply) sends one.
sub play ($self, $rule, $c, $q, $answer, $send)
{
	my $fault = $rule->{fault};

	$q->{fault} = $fault;
	if ($fault eq 'delay')
	{
		Mojo::IOLoop->timer(($rule->{delay_ms} // 1000) / 1000 => sub { $send->($answer->()) });
	}
	elsif ($fault eq 'empty_page')
	{
		$q->{empty_page} = 1;
		$send->($answer->());
	}
	elsif ($fault eq 'expire_tokens' || $fault eq 'stop_at')
	{
		# The vendor does it: tokens end before this request is looked at, or
		# the server breaks down at an element of the array.
		$q->{$fault} = $fault eq 'stop_at' ? $rule->{element} // 0 : 1;
		$send->($answer->());
	}
	elsif ($SPOIL{$fault})
	{
		my $method = "_$fault";
		$self->$method($rule, $c, $answer->(), $send);
	}
	else
	{
		$answer->() if $rule->{after};
		$self->_instead($rule, $c, $q, $send);
	}
}

sub _instead ($self, $rule, $c, $q, $send)
{
	my $fault = $rule->{fault};

	if ($fault eq 'hang')
	{
		my $stream = _stream($c) or return;
		$stream->timeout(0);
		Mojo::IOLoop->timer($rule->{seconds} => sub { _reset($c) }) if $rule->{seconds};
		return;
	}
	return _reset($c) if $fault eq 'reset';

	my %headers = %{ $rule->{headers} // {} };
	my $status = $rule->{status};
	my $body = $rule->{body} // '';

	if ($fault eq 'rate_limit')
	{
		$status //= 429;
		$headers{'Retry-After'} //= $rule->{retry_after} // 2 if !exists $rule->{retry_after} || defined $rule->{retry_after};
		$headers{'Content-Type'} //= 'text/plain; charset=utf-8';
		$body = $RATE_LIMITED{ $q->{vendor} } // $RATE_LIMITED{zendesk} if $body eq '';
	}
	elsif ($fault eq 'html_502' || $fault eq 'unavailable')
	{
		my $title = $fault eq 'html_502' ? '502 Bad Gateway' : '503 Service Temporarily Unavailable';
		$status //= 0 + substr $title, 0, 3;
		$headers{'Retry-After'} //= $rule->{retry_after} if defined $rule->{retry_after};
		$headers{'Content-Type'} //= 'text/html';
		$body = sprintf $HTML, $title, $title if $body eq '';
	}
	elsif ($fault eq 'redirect')
	{
		$status //= 302;
		$headers{Location} //= $rule->{location} // 'https://elsewhere.example/collect';
	}
	elsif ($fault eq 'quote')
	{
		$status //= 422;
		$body = _quotation($q);
	}
	if (ref $body)
	{
		$headers{'Content-Type'} //= 'application/json; charset=utf-8';
		$body = Mojo::JSON::encode_json($body);
	}
	else
	{
		$body = Mojo::Util::encode('UTF-8', $body);
	}
	$send->({ status => $status // 500, headers => \%headers, body => $body });
}

# An error that quotes how the request said who it is, in the forms in which
# servers and proxies do: as it came, decoded, encoded otherwise, and the body.
sub _quotation ($q)
{
	my $sent = $q->{headers}->authorization // '';
	my ($value) = $sent =~ /(\S*)\z/;
	my $plain = $sent =~ /^Basic /i ? Mojo::Util::b64_decode($value) : $value;
	my $text = join '; ', 'refused', $sent, $plain, Mojo::Util::url_escape($plain), Mojo::Util::url_escape($value),
	  Mojo::Util::b64_encode($plain, ''), Mojo::Util::b64_encode("Bearer $plain", '') =~ tr{+/}{-_}r, substr($plain, 0, -3), $q->{body};

	return { error => 'Refused', description => $text, message => $text, err => $text, ECODE => 'QUOTE_001' };
}

# The whole reply, slowly: $bytes at a time, $interval_ms apart.
sub _drip ($self, $rule, $c, $reply, $send)
{
	my $stream = _stream($c) or return;
	my $raw = _raw($reply);
	my ($size, $interval) = ($rule->{bytes} // 1, ($rule->{interval_ms} // 100) / 1000);
	my $id;

	$stream->timeout(0);
	my $tick = sub {
		my $piece = substr $raw, 0, $size, '';
		return $stream->write($piece) if $piece ne '';
		Mojo::IOLoop->remove($id);
		$stream->close_gracefully;
	};
	$id = Mojo::IOLoop->recurring($interval => $tick);
	$stream->on(close => sub { Mojo::IOLoop->remove($id) });
}

# Well-formed HTTP, but the JSON ends in the middle.
sub _truncated_json ($self, $rule, $c, $reply, $send)
{
	$reply->{body} = substr $reply->{body}, 0, length($reply->{body}) / 2;
	$send->($reply);
}

# The connection closes before Content-Length bytes have come.
sub _truncated_body ($self, $rule, $c, $reply, $send)
{
	my $stream = _stream($c) or return;
	my $raw = _raw($reply);

	$stream->write(substr($raw, 0, length($raw) - length($reply->{body}) / 2));
	$stream->close_gracefully;
}

sub _broken_json ($self, $rule, $c, $reply, $send)
{
	$reply->{body} =~ s/:/=/;
	$reply->{body} .= ",\"\xff\xfe\0";
	$send->($reply);
}

# A valid JSON reply with a member of $megabytes more, written as fast as it
# is taken.
sub _oversize ($self, $rule, $c, $reply, $send)
{
	my $stream = _stream($c) or return;
	my $left = ($rule->{megabytes} // 64) * 16;
	my $chunk = 'x' x 65536;
	my $tail = '"}';

	$stream->timeout(0);
	$reply->{body} =~ s/\}\s*\z/,"padding":"/ or $reply->{body} = '{"padding":"';
	my $raw = _raw($reply, length($reply->{body}) + $left * length($chunk) + length $tail);
	my $more;
	$more = sub {
		return $stream->write($chunk => $more) if $left-- > 0;
		undef $more;
		$stream->write($tail);
		$stream->close_gracefully;
	};
	$stream->on(close => sub { undef $more });
	$stream->write($raw => $more);
}

# Some kilobytes of gzip that inflate to $megabytes of spaces in JSON.
sub _gzip_bomb ($self, $rule, $c, $reply, $send)
{
	my $megabytes = $rule->{megabytes} // 256;
	my $bomb = $self->{bombs}{$megabytes} //= do {
		my $packed = '';
		my $gzip = IO::Compress::Gzip->new(\$packed, -Level => 9);
		$gzip->print('{"tickets":[],"tasks":[],"padding":"');
		$gzip->print(' ' x 1048576) for 1 .. $megabytes;
		$gzip->print('"}');
		$gzip->close;
		$packed;
	};
	$reply->{body} = $bomb;
	$reply->{headers}{'Content-Encoding'} = 'gzip';
	$send->($reply);
}

# A header whose value holds CR LF and another header, and one with a bare CR.
sub _header_injection ($self, $rule, $c, $reply, $send)
{
	my $stream = _stream($c) or return;
	my $raw = _raw($reply);

	$raw =~ s/\r\n\r\n/\r\nX-Request-Id: abc\r\nSet-Cookie: injected=1\r\nX-Note: a\rX-Evil: b\r\n\r\n/;
	$stream->write($raw);
	$stream->close_gracefully;
}

sub _content_type ($self, $rule, $c, $reply, $send)
{
	$reply->{headers}{'Content-Type'} = $rule->{content_type} // 'text/html; charset=iso-8859-1';
	$send->($reply);
}

# A reply as bytes on the wire; the connection ends after it.
sub _raw ($reply, $length = length $reply->{body})
{
	my %headers = (%{ $reply->{headers} }, 'Content-Length' => $length, Connection => 'close');

	return "HTTP/1.1 $reply->{status} "
	  . (Mojo::Message::Response->new->default_message($reply->{status}) || 'Status') . "\r\n"
	  . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
	  . "\r\n"
	  . $reply->{body};
}

sub _stream ($c)
{
	return Mojo::IOLoop->stream($c->tx->connection // return);
}

# End the connection with a TCP reset.
sub _reset ($c)
{
	my $stream = _stream($c) or return;

	setsockopt $stream->handle, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
	$stream->close;
}

# A small generator of its own, so that a seed gives the same faults each time.
sub _random ($rule)
{
	$rule->{random} = ($rule->{random} * 6364136223 + 1442695041) % 4294967296;
	return ($rule->{random} >> 8) / 16777216;
}

1;
