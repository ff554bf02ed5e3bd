package Simulator::Desk;

# A vendor that exists in tests only.  The base address of an account is
# /desk/NAME; its records are one list, in the order of their last changes.
#
#	GET  records?after=REV&limit=N	{records, last, more}
#	GET  records?mark=TEXT			{records, last, more}
#	GET  records/ID					a record
#	POST records					makes one
#	PUT  records/ID					changes it
#
# A record has id, rev (which rises with each change of any record), title,
# text, state, level, mark, opened, changed.

use Mojo::Base 'Simulator::Vendor', -signatures;
use Simulator::Vendor qw(fail);
use POSIX qw(strftime);

has accounts => sub { {} };

my %STATES = map { $_ => 1 } qw(fresh busy parked finished);
my %LEVELS = map { $_ => 1 } qw(p1 p2 p3 p4);

sub name ($self) { return 'desk' }

sub new ($class, @arguments)
{
	my $self = $class->SUPER::new(@arguments);

	return $self->add_routes(
		'GET :account/records' => 'list',
		'GET :account/records/:id' => 'get',
		'POST :account/records' => 'create',
		'PUT :account/records/:id' => 'update');
}

sub reset ($self, $options)
{
	$self->accounts({});
}

sub locate ($self, $q)
{
	($q->{account}) = $q->{relative} =~ m{^([^/]+)};
}

sub bad_json ($self)
{
	fail(400, { problem => 'this is no JSON' });
}

sub dispatch ($self, $q)
{
	my $handler = $q->{handler} or fail(404, { problem => 'no such address' });

	fail(401, { problem => 'wrong key' }) if ($q->{headers}->header('X-Desk-Key') // '') ne "key-$q->{account}";
	return $self->$handler($q, $self->accounts->{ $q->{account} } //= { rev => 0, records => {} });
}

sub list ($self, $q, $account)
{
	my ($after, $limit, $mark) = map { $q->{params}->param($_) } qw(after limit mark);
	my @records = sort { $a->{rev} <=> $b->{rev} } values %{ $account->{records} };

	@records = grep { ($_->{mark} // '') eq $mark } @records if defined $mark;
	@records = grep { $_->{rev} > ($after // 0) } @records;
	$limit = 100 if !$limit || $limit > 100;
	my $more = @records > $limit;
	splice @records, $limit;
	return (200, { records => \@records, last => @records ? $records[-1]{rev} : 0 + ($after // 0), more => $more ? \1 : \0 });
}

sub get ($self, $q, $account)
{
	return (200, $account->{records}{ $q->{p}{id} } // fail(404, { problem => 'no such record' }));
}

sub create ($self, $q, $account)
{
	my $given = $self->body($q);
	my $id = 1 + keys %{ $account->{records} };
	my $now = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $self->clock->now);

	fail(422, { problem => 'a record needs a title' }) if ($given->{title} // '') eq '';
	my $record = $account->{records}{$id} = { id => $id, state => 'fresh', level => 'p3', opened => $now };
	return (201, $self->_change($account, $record, $given));
}

sub update ($self, $q, $account)
{
	my $record = $account->{records}{ $q->{p}{id} } // fail(404, { problem => 'no such record' });

	return (200, $self->_change($account, $record, $self->body($q)));
}

sub _change ($self, $account, $record, $given)
{
	fail(422, { problem => "no state $given->{state}" }) if defined $given->{state} && !$STATES{ $given->{state} };
	fail(422, { problem => "no level $given->{level}" }) if defined $given->{level} && !$LEVELS{ $given->{level} };
	exists $given->{$_} and $record->{$_} = $given->{$_} for qw(title text state level mark);
	$record->{rev} = ++$account->{rev};
	$record->{changed} = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $self->clock->now);
	return $record;
}

1;
