package Rooms;

# The rooms of sql/: which there are, what belongs to which, and who uses what
# of another one, for the tests that look at that.
#
#	my $rooms = Rooms->new;
#	$rooms->note($room, $who, InstallScript::uses($sql));	# who is of a room and has this SQL
#	my @arrows = $rooms->arrows;		# texts: what runs back to an earlier room
#	my @unknown = $rooms->unknown;		# functions that are called and are not defined
#	my @shared = $rooms->shared_names;	# functions of one name in two rooms

use strict;
use warnings;
use InstallScript;

# A room may use those before it, and itself.  Vendors come last: they may use
# all rooms, and no room may use a function of theirs but as a hook of a
# descriptor.
our @ROOMS = qw(core tables account queue mirror routes leads read operate vendor);

# The DDL of all tables stands in tables/, but a table belongs to the room that
# says what its rows mean.
our %TABLES_OF = (
	core => 'installation alerts',
	account => 'accounts credentials alert_secrets',
	queue => 'account_budgets queues sync_queue claimants dead_letters sync_records job_id_seq',
	mirror => 'streams lists changes arrivals conflicts marks tickets tasks contacts companies projects comments attachments time_entries conversations fields statuses leads'
	  . ' lead_identities local_id_seq webhooks inbox heard_streams refused_deliveries doors suspended_counts',
	routes => 'routes route_backfills route_attempts route_fields route_values links route_comments comment_copies attachment_copies time_copies route_errors company_maps mail_providers',
	leads => 'lead_sources lead_statuses lead_score_rules lead_stage_rules lead_match_rules lead_rows'
	  . ' lead_duplicates lead_merges intakes countries country_names company_forms',
	read => 'search_indexes',
	operate => 'report_archive alert_targets alert_rules alert_incidents alert_deliveries role_grants outages hourly_numbers daily_numbers'
	  . ' call_totals slo_targets service_levels business_hours holidays work_numbers lead_numbers table_sizes',
);

my %RANK = map { $ROOMS[$_] => $_ } 0 .. $#ROOMS;

# Definitions are those of the install script, unless others are given.
sub new
{
	my ($class, @definitions) = @_;
	my $self = bless { function => {}, relation => {}, generator => {}, arrows => [], unknown => [], users => {} }, $class;

	$self->{definitions} = [ @definitions ? @definitions : InstallScript::definitions() ];
	# What a vendor is, all rooms may know; vendors themselves they do not.
	$_->{room} = 'core' foreach grep { $_->{file} =~ m{vendor/contract\.sql$} } $self->definitions;
	foreach my $room (keys %TABLES_OF)
	{
		$self->{relation}{$_} = { name => $_, file => 'tables', room => $room, table => 1 } foreach split ' ', $TABLES_OF{$room};
	}
	$self->define($_) foreach $self->definitions;
	unless (@definitions)
	{
		$self->define_generator(@$_) foreach InstallScript::blocks();
	}
	return $self;
}

sub definitions
{
	my ($self) = @_;

	return @{ $self->{definitions} };
}

sub define
{
	my ($self, $definition) = @_;
	my $text = $definition->{text};

	if ($definition->{kind} eq 'TYPE')
	{
		$self->{relation}{ $definition->{name} } = $definition;
		return;
	}
	$self->{function}{ $definition->{name} } //= $definition;
	$self->{relation}{$1} = $definition while $text =~ /\bCREATE (?:OR REPLACE )?VIEW zcsync\.(\w+)/g;
	# made by format() for each kind
	$self->{generator}{$1} //= $definition while $text =~ /\bFUNCTION zcsync\.(_[a-z_]+_)%/g;
}

# A DO block makes functions for each kind.
sub define_generator
{
	my ($self, $file, $line, $text) = @_;
	my $made = { file => $file, room => InstallScript::room($file), line => $line };

	$self->{generator}{$1} //= { name => $1, %$made } while $text =~ /'(_[a-z_]+_)' \|\| v_kind/g;
}

# The tables and sequences that a script makes and that no room has.
sub homeless_tables
{
	my ($self) = @_;
	my @homeless;

	foreach my $definition ($self->definitions)
	{
		while ($definition->{text} =~ /\bCREATE (?:TABLE|SEQUENCE) zcsync\.(\w+)/g)
		{
			push @homeless, $1 unless ($self->{relation}{$1} // {})->{table};
		}
	}
	return @homeless;
}

# The names that functions of several rooms have: who uses which cannot be told.
sub shared_names
{
	my ($self) = @_;

	return grep { my $name = $_; grep { $_->{name} eq $name && $_->{room} ne $self->{function}{$name}{room} } grep { $_->{kind} ne 'TYPE' } $self->definitions }
	  sort keys %{ $self->{function} };
}

# The definition of a name that is used.
sub definition_of
{
	my ($self, $name, $called) = @_;
	my ($function, $relation) = ($self->{function}{$name}, $self->{relation}{$name});
	my $found = $called ? $function // $relation : $relation // $function;

	return $found if $found;
	foreach my $prefix (sort { length $b <=> length $a } keys %{ $self->{generator} })
	{
		return $self->{generator}{$prefix} if index($name, $prefix) == 0;
	}
	return undef;
}

# Note that something in a room uses these names.
sub note
{
	my ($self, $room, $who, @uses) = @_;
	my %seen;

	die "\"$room\" of $who is no room" unless exists $RANK{$room};
	foreach my $use (@uses)
	{
		my ($name, $called) = @$use;
		my $used = $self->definition_of($name, $called);

		if (!$used)
		{
			push @{ $self->{unknown} }, "$who: $name" if $called;
			next;
		}
		next if $room eq 'tables' && $used->{table};	# their DDL stands there
		next if $seen{ $used->{room}, $name }++;
		$self->{users}{$name}{$room} = 1;
		push @{ $self->{arrows} }, "$room -> $used->{room}: $who uses $name of $used->{file}"
		  if $RANK{ $used->{room} } > $RANK{$room};
	}
}

sub arrows { return @{ $_[0]{arrows} } }
sub unknown { return @{ $_[0]{unknown} } }

# The internal functions that are used by one later room alone.
sub misplaced
{
	my ($self) = @_;
	my @misplaced;

	foreach my $definition ($self->definitions)
	{
		my @rooms = keys %{ $self->{users}{ $definition->{name} } // {} };

		push @misplaced, "$definition->{name} of $definition->{file} is used by $rooms[0] alone"
		  if @rooms == 1 && $RANK{ $rooms[0] } > $RANK{ $definition->{room} } && $definition->{kind} ne 'TYPE' && $definition->{name} =~ /^_/;
	}
	return @misplaced;
}

1;
