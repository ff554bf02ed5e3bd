package Simulator::Limits;

# Rate limits, one window per (vendor, account or token, class).  HaloPSA's
# windows roll: they hold the calls of the last seconds.  Those of the others
# are fixed and begin with the first call in them.  Beside them, for the tests,
# the highest number of calls that any rolling minute has seen, and for HaloPSA
# any rolling five minutes.

use Mojo::Base -base, -signatures;
use Time::HiRes ();

has 'clock';

# Calls a minute by plan, or [calls, seconds]; undef means no limit.
my %PLANS = (
	zendesk => {
		none => { high => 1 },
		essential => { account => 10 },
		trial => { account => 200, ticket_updates => 20 },
		sandbox => { account => 700, ticket_updates => 20 },
		team => { account => 200 },
		growth => { account => 400 },
		professional => { account => 400 },
		enterprise => { account => 700 },
		enterprise_plus => { account => 2500 },
		high_volume => { account => 2500, high => 1 },
	},
	clickup => {
		none => {},
		free => { token => 100 },
		unlimited => { token => 100 },
		business => { token => 100 },
		business_plus => { token => 1000 },
		enterprise => { token => 10000 },
	},
	halopsa => {
		none => {},
		300 => { api => [ 300, 300 ] },
		450 => { api => [ 450, 300 ] },
		700 => { api => [ 700, 300 ] },
	},);
my %ROLLS = (halopsa => 1);

# Limits that Zendesk has whatever the plan: class => [calls, seconds], then
# the same with the High Volume add-on.
my %ZENDESK = (
	export => [ 10, 60 ],
	export_users => [ 20, 60 ],
	ticket_updates => [ 100, 60 ],
	one_ticket => [ 30, 600 ],
	ticket_deletes => [ 400, 60 ],
	ticket_fields => [ 100, 60 ],
	deleted_tickets => [ 10, 60 ],
	deep_tickets => [ 50, 60 ],
	search_export => [ 100, 60 ],
	jobs => [ 30, 0 ],);
my %HIGH_VOLUME = (
	export => [ 30, 60 ],
	export_users => [ 60, 60 ],
	ticket_updates => [ 300, 60 ],);

sub plans ($class, $vendor)
{
	return sort keys %{ $PLANS{$vendor} };
}

# Set the limits of a vendor to those of a plan, forgetting special ones.
sub plan ($self, $vendor, $name)
{
	my $plan = $PLANS{$vendor}{$name} or die "unknown plan \"$name\"\n";
	my %limits = map { $_ => ref $plan->{$_} ? $plan->{$_} : [ $plan->{$_}, 60 ] } grep { $_ ne 'high' } keys %$plan;

	if ($vendor eq 'zendesk')
	{
		%limits = (%ZENDESK, %limits);
		%limits = (%limits, %HIGH_VOLUME) if $plan->{high};
		%limits = (jobs => $ZENDESK{jobs}) if $name eq 'none';
	}
	$self->{plan}{$vendor} = \%limits;
	$self->{special}{$vendor} = {};
	delete $self->{windows};
}

# Set one limit: of one account or, with undef, of all; undef calls lift it.
sub set ($self, $vendor, $account, $class, $calls, $seconds = undef)
{
	$seconds //= ($self->_limit($vendor, $account // '*', $class) // [ 0, $ROLLS{$vendor} ? 300 : 60 ])->[1];
	$self->{special}{$vendor}{ $account // '*' }{$class} =
	  defined $calls ? [ $calls, $seconds ] : 0;
	delete $self->{windows};
}

# The calls that a class allows, undef if it has no limit.
sub calls ($self, $vendor, $account, $class)
{
	my $limit = $self->_limit($vendor, $account, $class);
	return $limit ? $limit->[0] : undef;
}

# Take one call.  Returns undef where no limit exists, else a hash of limit,
# seconds, remaining, reset (seconds to go), and refused.  $key tells calls of
# the same class apart (a token, a ticket).
sub take ($self, $vendor, $account, $class, $key = '')
{
	my $limit = $self->_limit($vendor, $account, $class) or return;
	my ($calls, $seconds) = @$limit;
	my $now = $self->clock->now;
	my $window = $self->{windows}{"$vendor $account $class $key"} //= { start => 0, used => 0 };

	return _roll($window->{calls} //= [], $calls, $seconds, $now) if $ROLLS{$vendor};
	@$window{qw(start used)} = ($now, 0)
	  if $now >= $window->{start} + $seconds || $now < $window->{start};
	my $refused = $window->{used} >= $calls;
	$window->{used}++ if !$refused;
	return {
		limit => $calls,
		seconds => $seconds,
		remaining => $calls - $window->{used},
		reset => $window->{start} + $seconds - $now,
		refused => $refused,
	};
}

# The same for a rolling window, of which the times of its calls are kept.
# Calls that are refused do not count.
sub _roll ($times, $calls, $seconds, $now)
{
	# After the clock was set back, the times ahead of it say nothing.
	@$times = () if @$times && $times->[-1] > $now;
	shift @$times while @$times && $times->[0] <= $now - $seconds;
	my $refused = @$times >= $calls;
	push @$times, $now if !$refused;
	return {
		limit => $calls,
		seconds => $seconds,
		remaining => $calls - @$times,
		reset => @$times ? $times->[0] + $seconds - $now : 0,
		refused => $refused,
	};
}

# Note a call for the maxima of a rolling minute and of rolling five minutes.
sub note ($self, $vendor, $account, $class)
{
	my $now = Time::HiRes::time();

	for my $seconds (60, $ROLLS{$vendor} ? 300 : ())
	{
		my $seen = $self->{rolling}{$seconds}{$vendor}{$account}{$class} //= { times => [], max => 0 };
		my $times = $seen->{times};
		push @$times, $now;
		shift @$times while $times->[0] <= $now - $seconds;
		$seen->{max} = @$times if @$times > $seen->{max};
	}
}

# vendor => account => class => highest number of calls in rolling $seconds.
sub rolling ($self, $seconds = 60)
{
	my %result;
	my $rolling = $self->{rolling}{$seconds} // {};

	for my $vendor (keys %$rolling)
	{
		for my $account (keys %{ $rolling->{$vendor} })
		{
			my $classes = $rolling->{$vendor}{$account};
			$result{$vendor}{$account} = { map { $_ => $classes->{$_}{max} } keys %$classes };
		}
	}
	return \%result;
}

sub reset ($self)
{
	delete @$self{qw(windows rolling)};
	$self->{special} = {};
}

sub _limit ($self, $vendor, $account, $class)
{
	my $special = $self->{special}{$vendor};

	for my $name ($account, '*')
	{
		next if !exists $special->{$name}{$class};
		return $special->{$name}{$class} || undef;
	}
	return $self->{plan}{$vendor}{$class};
}

1;
