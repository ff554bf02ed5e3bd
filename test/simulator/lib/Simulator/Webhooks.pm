package Simulator::Webhooks;

# The deliveries of webhooks: what the vendors send when a record changes, each
# as a request of its own, while the simulator goes on answering.  They go to
# loopback only.
#
# A vendor gives what happened to send(), with a sub that signs it.  Here it is
# sent, repeated while it is refused, and spoilt as `trouble` says: sent twice,
# late, with a wrong signature as well, or not at all.

use Mojo::Base -base, -signatures;
use Mojo::IOLoop;
use Mojo::URL;
use Mojo::UserAgent;

has 'clock';
has keep => 20000;    # deliveries kept in the log
has trouble => sub { {} };
has log => sub { [] };
has ua => sub { Mojo::UserAgent->new(insecure => 1, max_redirects => 0, connect_timeout => 5, inactivity_timeout => 7, max_connections => 30) };

# Shares are of 1.
my %TROUBLE = (
	duplicates => 0,      # sent a second time
	forged => 0,          # followed by one whose signature is wrong
	reorder => 0,         # held back for up to reorder_ms
	lost => 0,            # never sent
	reorder_ms => 300,
	retry_ms => 1000,     # until a refused one is sent again
	seed => 1);
my $AT_ONCE = 20;    # requests under way

# Forget everything; what is under way has no effect any more.
sub reset ($self)
{
	$self->trouble({%TROUBLE});
	$self->log([]);
	$self->{generation}++;
	@$self{qw(waiting open pending random)} = ([], 0, 0, 1);
}

sub set_trouble ($self, $given)
{
	exists $TROUBLE{$_} or die "no setting \"$_\"\n" for keys %$given;
	$self->trouble({ %{ $self->trouble }, %$given });
	$self->{random} = $given->{seed} if defined $given->{seed};
}

# Send a delivery: vendor, account, webhook (id), event, object (id), url, body
# (bytes), sign (body, is it forged => headers), tries (how often at most), and
# answered (status, is it the last try => whether to give up).
sub send ($self, %delivery)
{
	my $trouble = $self->trouble;

	return $self->_note({ %delivery, lost => 1 }) if $self->_chance($trouble->{lost});
	my @all = (\%delivery);
	push @all, { %delivery, duplicate => 1, headers => $delivery{headers} //= $delivery{sign}->($delivery{body}, 0) } if $self->_chance($trouble->{duplicates});
	push @all, { %delivery, forged => 1, tries => 1, headers => $delivery{sign}->($delivery{body}, 1), answered => sub { 1 } } if $self->_chance($trouble->{forged});
	for my $one (@all)
	{
		$self->_note($one);
		my $late = $self->_chance($trouble->{reorder}) ? $self->_random * $trouble->{reorder_ms} / 1000 : 0;
		$self->{pending}++;
		$self->_later($late, sub { push @{ $self->{waiting} }, $one; $self->_pump });
	}
}

sub pending ($self) { return $self->{pending} }

# Deliveries with a seq above $since as JSON-able hashes, filtered by equal values.
sub deliveries ($self, $since, $limit, %filter)
{
	my @found;

	for my $one (@{ $self->log })
	{
		next if $one->{seq} <= $since || grep { ($one->{$_} // '') ne $filter{$_} } keys %filter;
		push @found, { map { $_ => $one->{$_} } grep { exists $one->{$_} } qw(seq time vendor account webhook event object status forged duplicate lost) };
		last if @found >= $limit;
	}
	return \@found;
}

sub _note ($self, $delivery)
{
	my $log = $self->log;

	@$delivery{qw(seq time status)} = (++$self->{seq}, $self->clock->now, []);
	push @$log, $delivery;
	splice @$log, 0, @$log - $self->keep if @$log > 1.25 * $self->keep;
	return;
}

sub _later ($self, $seconds, $what)
{
	my $generation = $self->{generation};

	Mojo::IOLoop->timer($seconds => sub { $what->() if $generation == $self->{generation} });
}

sub _pump ($self)
{
	while (@{ $self->{waiting} } && $self->{open} < $AT_ONCE)
	{
		$self->{open}++;
		$self->_try(shift @{ $self->{waiting} });
	}
}

sub _try ($self, $one)
{
	my $generation = $self->{generation};
	my $host = Mojo::URL->new($one->{url})->host // '';

	return $self->_answer($one, 0) if $host !~ /^(?:127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)\z/;
	$one->{headers} //= $one->{sign}->($one->{body}, 0);
	$self->ua->post($one->{url} => { 'Content-Type' => 'application/json', %{ $one->{headers} } } => $one->{body} => sub ($ua, $tx) {
		$self->_answer($one, $tx->res->code // 0) if $generation == $self->{generation};
	});
}

# A delivery was answered; status 0: it was not.
sub _answer ($self, $one, $status)
{
	my $good = $status >= 200 && $status < 300;

	push @{ $one->{status} }, $status;
	$self->{open}--;
	my $last = @{ $one->{status} } >= $one->{tries};
	my $stop = $one->{answered}->($status, $last);
	if ($good || $last || $stop)
	{
		$self->{pending}--;
	}
	else
	{
		delete $one->{headers};
		$self->_later($self->trouble->{retry_ms} / 1000, sub { push @{ $self->{waiting} }, $one; $self->_pump });
	}
	$self->_pump;
}

sub _chance ($self, $share)
{
	return $share > 0 && $self->_random < $share;
}

# A generator of its own, so that a seed gives the same troubles each time.
sub _random ($self)
{
	$self->{random} = ($self->{random} * 6364136223 + 1442695041) % 4294967296;
	return ($self->{random} >> 8) / 16777216;
}

1;
