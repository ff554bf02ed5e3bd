package Simulator::Clock;

# The vendors' clock: the machine's plus an offset that tests may set, so that
# clock skew and the passing of hours can be played without waiting.

use Mojo::Base -base, -signatures;
use POSIX qw(strftime);
use Time::HiRes ();

has offset => 0;

# Seconds since the epoch, with a fraction.
sub now ($self)
{
	return Time::HiRes::time() + $self->offset;
}

# Milliseconds since the epoch, as an integer.
sub ms ($self)
{
	return int($self->now * 1000);
}

# A time as both vendors' documents write it: UTC, whole seconds, "Z".
sub iso ($self, $seconds = undef)
{
	$seconds = int($seconds // $self->now);
	return $self->{iso}{$seconds} if exists $self->{iso}{$seconds};
	$self->{iso} = {} if keys %{ $self->{iso} // {} } > 5000;
	return $self->{iso}{$seconds} =
	  strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $seconds);
}

1;
