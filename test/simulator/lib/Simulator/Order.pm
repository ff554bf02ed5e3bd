package Simulator::Order;

# Records ordered by (time, number).
#
# A record that changes gets a new entry; its old one stays behind, is skipped
# when read and swept out when half of the entries are stale.  Changes happen
# "now", so nearly every insertion is at the end.  An entry is a string of
# fixed width, which sorts as the pair does: 15 digits of time, 15 of number.

use Mojo::Base -base, -signatures;

sub new ($class)
{
	return bless { keys => [], current => {} }, $class;
}

# The entry for a pair; also how a position in the order is written down.
sub key ($class, $time, $number)
{
	return sprintf '%015d%015d', $time, $number;
}

# The pair of an entry.
sub split_key ($class, $key)
{
	return (0 + substr($key, 0, 15), 0 + substr($key, 15));
}

sub size ($self)
{
	return scalar keys %{ $self->{current} };
}

# Put a record in, or move it to another time.
sub set ($self, $number, $time)
{
	my ($keys, $current) = @$self{qw(keys current)};
	my $key = $self->key($time, $number);

	return if ($current->{$number} // '') eq $key;
	$current->{$number} = $key;
	return push @$keys, $key if $self->{unsorted};
	if (!@$keys || $keys->[-1] lt $key)
	{
		push @$keys, $key;
	}
	else
	{
		my $at = $self->_after($key);
		# A record may come back to a time at which it left a stale entry.
		splice @$keys, $at, 0, $key if !$at || $keys->[ $at - 1 ] ne $key;
	}
	$self->_sweep if @$keys > 2 * keys(%$current) + 1000;
}

# Insert in any order within $work->(), sorting once at its end; nothing may be
# read, or set twice, meanwhile.
sub in_bulk ($self, $work)
{
	local $self->{unsorted} = 1;
	$work->();
	@{ $self->{keys} } = sort @{ $self->{keys} };
}

sub remove ($self, $number)
{
	delete $self->{current}{$number};
}

# Up to $limit entries after the entry $after (all, if it is '') and not after
# $until, for which $accept->(number) is true; ascending.  $skip of those that
# match are passed over first.
sub ascending ($self, $after, $until, $limit, $skip = 0, $accept = undef)
{
	my ($keys, $current) = @$self{qw(keys current)};
	my @found;

	for (my $i = $after eq '' ? 0 : $self->_after($after); $i < @$keys; $i++)
	{
		my $key = $keys->[$i];
		last if $key gt $until;
		my $number = 0 + substr $key, 15;
		next if ($current->{$number} // '') ne $key;
		next if $accept && !$accept->($number);
		next if $skip-- > 0;
		push @found, $key;
		last if @found == $limit;
	}
	return \@found;
}

# The same from the other end.
sub descending ($self, $after, $until, $limit, $skip = 0, $accept = undef)
{
	my ($keys, $current) = @$self{qw(keys current)};
	my @found;

	for (my $i = $self->_after($until) - 1; $i >= 0; $i--)
	{
		my $key = $keys->[$i];
		last if $key le $after;
		my $number = 0 + substr $key, 15;
		next if ($current->{$number} // '') ne $key;
		next if $accept && !$accept->($number);
		next if $skip-- > 0;
		push @found, $key;
		last if @found == $limit;
	}
	return \@found;
}

# Index of the first entry greater than $key.
sub _after ($self, $key)
{
	my $keys = $self->{keys};
	my ($low, $high) = (0, scalar @$keys);

	while ($low < $high)
	{
		my $middle = ($low + $high) >> 1;
		if ($keys->[$middle] le $key) { $low = $middle + 1 }
		else { $high = $middle }
	}
	return $low;
}

sub _sweep ($self)
{
	my $current = $self->{current};

	@{ $self->{keys} } =
	  grep { ($current->{ 0 + substr $_, 15 } // '') eq $_ }
	  @{ $self->{keys} };
}

1;
