package Simulator::Zendesk::Jobs;

# Zendesk's asynchronous jobs: create_many, update_many and merges answer at once
# with a job, do the work a moment later, and report each row's fate, which may be
# failure in a job that "completed".
#
# The subs become methods of Simulator::Zendesk.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Mojo::IOLoop;
use Simulator::Vendor qw(fail);

our @EXPORT = qw(job_routes create_many update_many merge_tickets job_status job_statuses);

my $BATCH = 100;

sub job_routes ($self)
{
	return (
		'POST api/v2/tickets/create_many' => 'create_many',
		'PUT api/v2/tickets/update_many' => 'update_many',
		'POST api/v2/tickets/:id/merge' => 'merge_tickets',
		'GET api/v2/job_statuses/show_many' => 'job_statuses',
		'GET api/v2/job_statuses/:id' => 'job_status');
}

sub create_many ($self, $q)
{
	my $rows = _rows($self, $q);
	my @work = map {
		my $row = $_;
		sub { { id => 0 + $self->create_ticket($q, $row, 'job')->{id} } }
	} @$rows;

	return _start($self, $q, 'Bulk Create Ticket', 'TicketCreateError', [ map { { index => $_ } } 0 .. $#work ], \@work);
}

sub update_many ($self, $q)
{
	my $body = $self->body($q);
	my ($rows, @ids);

	if (defined $q->{params}->param('ids'))
	{
		@ids = $self->ids_parameter($q);
		my $change = ref $body eq 'HASH' ? $body->{ticket} : undef;
		fail(400, { error => { title => 'Invalid attribute', message => 'Parameter ticket is required' } }) if ref $change ne 'HASH';
		$rows = [ ($change) x @ids ];
	}
	else
	{
		$rows = _rows($self, $q);
		@ids = map { $_->{id} // 0 } @$rows;
	}
	my @work = map {
		my ($id, $row) = ($ids[$_], $rows->[$_]);
		sub {
			$self->update_ticket($q, $id, $row, 'job');
			return { id => 0 + $id, action => 'update', status => 'Updated', success => Mojo::JSON->true };
		}
	} 0 .. $#ids;

	return _start($self, $q, 'Bulk Update Ticket', 'TicketUpdateError',
		[ map { { id => 0 + $_, action => 'update', success => Mojo::JSON->false } } @ids ], \@work);
}

# Tickets are merged into another one: each gets a comment, a tag, and is closed.  The
# comments name the other ticket in their via; both are private unless asked otherwise.
sub merge_tickets ($self, $q)
{
	my $account = $q->{a};
	my $body = $self->body($q);
	my $winner = $q->{p}{id};

	$self->invalid_attribute('ids', 'must be a list of tickets') if ref $body ne 'HASH' || ref $body->{ids} ne 'ARRAY' || !@{ $body->{ids} };
	$account->ticket($winner) // $self->not_found;
	my @ids = @{ $body->{ids} };
	my @work = map {
		my $id = $_;
		sub {
			fail(422, { error => 'RecordInvalid', description => "Ticket $id cannot be merged" }) if !$account->merge($id, $winner, $q->{user}{id}, $body);
			$self->wrote($q, 'merge', $id, 200, changed => 1);
			return { id => 0 + $id, action => 'update', status => 'Updated', success => Mojo::JSON->true };
		}
	} @ids;
	return _start($self, $q, 'Bulk Ticket Merge', 'TicketMergeError', [ map { { id => 0 + $_, action => 'update', success => Mojo::JSON->false } } @ids ], \@work);
}

sub job_status ($self, $q)
{
	return (200, { job_status => _show($q, $q->{a}->jobs->{ $q->{p}{id} } // $self->not_found) });
}

sub job_statuses ($self, $q)
{
	my @jobs = grep { defined } map { $q->{a}->jobs->{$_} } split /,/, $q->{params}->param('ids') // '';

	return (200, { job_statuses => [ map { _show($q, $_) } @jobs ] });
}

sub _rows ($self, $q)
{
	my $body = $self->body($q);
	my $rows = ref $body eq 'HASH' ? $body->{tickets} : undef;

	fail(400, { error => { title => 'Invalid attribute', message => 'Parameter tickets is required' } })
	  if ref $rows ne 'ARRAY' || grep { ref $_ ne 'HASH' } @$rows;
	fail(400, { error => 'TooManyTickets', description => "Too many tickets. The limit is $BATCH" }) if @$rows > $BATCH;
	return $rows;
}

# Queue the work; each item returns its result or dies with a reply, whose
# error then goes with the item's failure.
sub _start ($self, $q, $type, $error, $failures, $work)
{
	my $account = $q->{a};
	my $limit = $self->limits->calls('zendesk', $q->{account}, 'jobs');
	my $busy = grep { $_->{status} eq 'queued' || $_->{status} eq 'working' } values %{ $account->jobs };

	fail(429,
		{ error => 'TooManyJobs', description => 'Too many jobs are currently queued or running. Try again later.' },
		{ 'Retry-After' => 5 })
	  if defined $limit && $busy >= $limit;
	my $id = join '', map { sprintf '%08x', int rand 2**32 } 1 .. 4;
	my $job = $account->jobs->{$id} = {
		id => $id,
		job_type => $type,
		total => scalar @$work,
		progress => 0,
		status => 'queued',
		message => undef,
		results => undef,
	};
	Mojo::IOLoop->timer($account->job_delay / 2 => sub { $job->{status} = 'working' });
	Mojo::IOLoop->timer($account->job_delay => sub { _run($job, $error, $failures, $work) });
	return (200, { job_status => _show($q, $job) });
}

sub _run ($job, $error, $failures, $work)
{
	my @results;

	for my $i (0 .. $#$work)
	{
		my $result = eval { $work->[$i]->() };
		if (my $reply = $@)
		{
			die $reply if ref $reply ne 'ARRAY';
			$result = { %{ $failures->[$i] }, error => $error, details => _details($reply->[1]) };
		}
		else
		{
			$result->{index} = $i if exists $failures->[$i]{index};
		}
		push @results, $result;
	}
	@$job{qw(status progress message results)} =
	  ('completed', scalar @results, 'Completed at ' . gmtime() . ' +0000', \@results);
}

# The text of an error reply.
sub _details ($body)
{
	return $body if !ref $body;
	return join ' ', map { map { $_->{description} } @$_ } map { $body->{details}{$_} } sort keys %{ $body->{details} }
	  if $body->{details};
	return ref $body->{error} ? $body->{error}{message} : $body->{description};
}

sub _show ($q, $job)
{
	return { %$job, url => $q->{a}->url . "/api/v2/job_statuses/$job->{id}.json" };
}

1;
