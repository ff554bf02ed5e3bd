package Simulator::Zendesk::Search;

# Zendesk's search: words and the terms that people use most.  What was made
# in the last minute is not found yet, as at Zendesk.
#
# The subs become methods of Simulator::Zendesk.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Simulator::Vendor qw(fail);

our @EXPORT = qw(search_routes search search_count search_export);

my $LAG = 60;    # seconds until the index has a record
my $REACH = 1000;    # results that paging reaches
my @ORDER = qw(new open pending hold solved closed);
my %RANK = map { $ORDER[$_] => $_ } 0 .. $#ORDER;

sub search_routes ($self)
{
	return (
		'GET api/v2/search' => 'search',
		'GET api/v2/search/count' => 'search_count',
		'GET api/v2/search/export' => 'search_export');
}

sub search ($self, $q)
{
	my $params = $q->{params};
	my ($page, $size) = ($self->int_parameter($q, 'page', 1, 1_000_000), $self->int_parameter($q, 'per_page', 100, 100));

	$self->invalid_attribute('page', 'must be an integer') if defined $params->param('page[size]');
	fail(422, { error => 'Unprocessable Entity', message => 'Requested response size was greater than Search Response Limits' }) if $page * $size > $REACH;
	my $found = _found($self, $q);
	return (200, { %{ $self->page_of($q, 'results', [ sort { $a <=> $b } keys %$found ], sub ($id) { $found->{$id} }) }, facets => undef });
}

sub search_count ($self, $q)
{
	return (200, { count => scalar keys %{ _found($self, $q) } });
}

# By cursor, of one type, without an end.
sub search_export ($self, $q)
{
	my $type = $q->{params}->param('filter[type]') // '';

	$self->invalid_attribute('filter[type]', 'must be one of ticket, organization, user, group') if $type !~ /^(?:ticket|organization|user|group)\z/;
	$self->take($q, 'search_export');
	my $found = _found($self, $q, $type);
	$q->{params}->merge('page[size]' => 100) if !defined $q->{params}->param('page[size]');
	return (200, { %{ $self->page_of($q, 'results', [ sort { $a <=> $b } keys %$found ], sub ($id) { $found->{$id} }) }, facets => undef });
}

# The records that a query finds, by id.
sub _found ($self, $q, $type = undef)
{
	my $query = $q->{params}->param('query') // '';
	my $account = $q->{a};

	fail(422, { error => 'invalid', description => 'Invalid search: cannot be blank' }) if $query !~ /\S/;
	my @terms = $query =~ /((?:[a-z_]+[:<>]=?)?(?:"[^"]*"|\S+))/g;
	my @tests = map { _test($_) } grep { !/^type:/ } @terms;
	my ($wanted) = map { /^type:(.*)/ ? $1 : () } @terms;
	my $newest = $self->clock->iso($self->clock->now - $LAG);
	my %found;
	for my $kind ([ ticket => map { $account->ticket($_) } grep { !$account->deleted->{$_} } keys %{ $account->tickets } ],
		[ user => values %{ $account->users } ], [ organization => @{ $account->organizations } ], [ group => @{ $account->groups } ])
	{
		my ($name, @records) = @$kind;
		next if ($type // $wanted // $name) ne $name || ($wanted // $name) ne $name;
		for my $record (grep { $_->{created_at} le $newest } @records)
		{
			$found{ $record->{id} } = { %$record, result_type => $name } if !grep { !$_->($record) } @tests;
		}
	}
	return \%found;
}

# A term of a query as a test of a record.
sub _test ($term)
{
	my ($no, $name, $how, $value) = $term =~ /^(-?)(?:([a-z_]+)(:|<=?|>=?))?(.*)\z/s;
	my $test;

	$value =~ s/^"(.*)"\z/$1/s;
	if (!defined $name)
	{
		$test = sub ($record) { scalar grep { defined && /\Q$value/i } @$record{qw(subject description name email)} };
	}
	elsif ($name eq 'tags')
	{
		$test = sub ($record) { scalar grep { $_ eq lc $value } @{ $record->{tags} // [] } };
	}
	else
	{
		my %member = (requester => 'requester_id', assignee => 'assignee_id', group => 'group_id', organization => 'organization_id',
			updated => 'updated_at', created => 'created_at', ticket_type => 'type');
		my $member = $member{$name} // $name;
		my $rank = sub ($text) { $member eq 'status' ? $RANK{$text} // 99 : $text };
		$test = sub ($record) {
			my $is = $record->{$member} // return $value eq 'none';
			return index(lc $is, lc $value) == 0 && ($member =~ /_at\z/ || length $is == length $value) if $how eq ':';
			my $order = $member eq 'status' ? $rank->($is) <=> $rank->($value) : $is cmp $value;
			return $how =~ /</ ? $order < ($how eq '<=' ? 1 : 0) : $order > ($how eq '>=' ? -1 : 0);
		};
	}
	return $no ? sub ($record) { !$test->($record) } : $test;
}

1;
