package Simulator::Zendesk::Tickets;

# Zendesk's ticket endpoints and the checks of what they accept.
#
# The subs become methods of Simulator::Zendesk.

use Mojo::Base -strict, -signatures;
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use Mojo::JSON qw(encode_json false true);
use Mojo::Util qw(b64_decode b64_encode);
use Simulator::Vendor qw(fail is_bool is_int is_number is_string truthy);

our @EXPORT = qw(ticket_routes ticket_count tickets ticket tickets_show_many ticket_create ticket_update
  ticket_delete ticket_comments comment_make_private comment_redact ticket_tags ticket_tags_change deleted_tickets ticket_restore
  create_ticket update_ticket page_of ids_parameter);

my $HOURS = 2 * 3600;    # life of an idempotency key
my $DEPTH = 10_000;    # records that offset paging reaches
my %STATUS = map { $_ => 1 } qw(new open pending hold solved closed);
my %PRIORITY = map { $_ => 1 } qw(low normal high urgent);
my %TYPE = map { $_ => 1 } qw(problem incident question task);

sub ticket_routes ($self)
{
	return (
		'GET api/v2/tickets/count' => 'ticket_count',
		'GET api/v2/tickets/show_many' => 'tickets_show_many',
		'GET api/v2/tickets/:id/comments' => 'ticket_comments',
		'PUT api/v2/tickets/:id/comments/:comment/make_private' => 'comment_make_private',
		'GET api/v2/tickets/:id/tags' => 'ticket_tags',
		'PUT api/v2/tickets/:id/tags' => 'ticket_tags_change',
		'POST api/v2/tickets/:id/tags' => 'ticket_tags_change',
		'DELETE api/v2/tickets/:id/tags' => 'ticket_tags_change',
		'GET api/v2/tickets/:id' => 'ticket',
		'PUT api/v2/tickets/:id' => 'ticket_update',
		'DELETE api/v2/tickets/:id' => 'ticket_delete',
		'GET api/v2/tickets' => 'tickets',
		'POST api/v2/tickets' => 'ticket_create',
		'GET api/v2/deleted_tickets' => 'deleted_tickets',
		'PUT api/v2/deleted_tickets/:id/restore' => 'ticket_restore',
		'PUT api/v2/comment_redactions/:comment' => 'comment_redact');
}

# ----------------------------------------------------------------- reading

sub ticket_count ($self, $q)
{
	return (200, { count => { value => $q->{a}->by_id->size, refreshed_at => $self->clock->iso } });
}

sub ticket ($self, $q)
{
	_existing($self, $q, $q->{p}{id});
	return (200, \('{"ticket":' . $q->{a}->ticket_json($q->{p}{id}) . '}'));
}

sub tickets_show_many ($self, $q)
{
	my $account = $q->{a};
	my @ids = grep { defined $account->tickets->{$_} && !$account->deleted->{$_} } $self->ids_parameter($q);

	return (200, \('{"tickets":[' . join(',', map { $account->ticket_json($_) } @ids) . '],"next_page":null,"previous_page":null,"count":' . @ids . '}'));
}

# GET /tickets: by offset or cursor in the order of ids, or by external_id.
sub tickets ($self, $q)
{
	my $account = $q->{a};
	my $external = $q->{params}->param('external_id');

	if (defined $external)
	{
		my @ids = sort { $a <=> $b } grep { !$account->deleted->{$_} } keys %{ $account->external_ids->{$external} // {} };
		return (200, $self->page_of($q, 'tickets', \@ids, sub ($id) { $account->ticket($id) }));
	}
	my $order = $account->by_id;
	my $last = Simulator::Order->key(999_999_999_999_999, 0);
	my $page = _paging($self, $q, $order->size);
	$self->take($q, 'deep_tickets') if defined $page->{number} && $page->{number} > 500;
	my $after = defined $page->{after} ? Simulator::Order->key($page->{after}, $page->{after}) : '';
	my $keys = $order->ascending($after, $last, $page->{size} + 1, $page->{skip});
	my @ids = map { (Simulator::Order->split_key($_))[1] } @$keys;
	my $more = @ids > $page->{size};
	pop @ids if $more;
	my $rest = encode_json(_envelope($self, $q, $page, $order->size, $more, $ids[0], $ids[-1]));

	return (200, \('{"tickets":[' . join(',', map { $account->ticket_json($_) } @ids) . '],' . substr $rest, 1));
}

# A page of a short list of ids, each shown by $show.
sub page_of ($self, $q, $what, $ids, $show)
{
	my $page = _paging($self, $q, scalar @$ids);
	my @rest = defined $page->{after} ? grep { $_ > $page->{after} } @$ids : @$ids;
	splice @rest, 0, $page->{skip};
	my $more = @rest > $page->{size};
	my @shown = splice @rest, 0, $page->{size};

	return { $what => [ map { $show->($_) } @shown ], %{ _envelope($self, $q, $page, scalar @$ids, $more, $shown[0], $shown[-1]) } };
}

# What the paging parameters say: size, and number and skip, or after.
sub _paging ($self, $q, $total)
{
	my $params = $q->{params};
	my $after = $params->param('page[after]');

	if (defined $params->param('page[size]') || defined $after)
	{
		my $size = $self->int_parameter($q, 'page[size]', 100, 100);
		my $id;
		if (defined $after)
		{
			($id) = (b64_decode($after) // '') =~ /^(\d{1,15})\z/;
			fail(400, { errors => [ { code => 'InvalidCursor', title => 'Invalid cursor', detail => 'page[after] is not valid', status => '400' } ] })
			  if !defined $id;
		}
		return { size => $size, after => $id, skip => 0, cursor => 1 };
	}
	my $size = $self->int_parameter($q, 'per_page', 100, 100);
	my $number = $self->int_parameter($q, 'page', 1, 1_000_000);
	fail(400,
		{ errors => [ {
			code => 'InvalidPaginationDepth',
			title => 'Invalid Pagination Depth',
			detail => 'Exceeded the maximum pagination depth. Use cursor pagination instead.',
			status => '400' } ] })
	  if $number * $size > $DEPTH;
	return { size => $size, number => $number, skip => ($number - 1) * $size };
}

# What stands around a page; its links repeat the request, at another place.
sub _envelope ($self, $q, $page, $total, $more, $first, $last)
{
	my $link = sub (%place) { return $self->address($q) . "/$q->{relative}.json?" . $q->{params}->clone->merge(%place)->to_string };

	if ($page->{cursor})
	{
		my ($before, $after) = map { defined $_ ? b64_encode($_, '') : undef } $first, $last;
		return {
			meta => { has_more => $more ? true : false, after_cursor => $after, before_cursor => $before },
			links => {
				next => $more ? $link->('page[after]' => $after) : undef,
				prev => defined $before && defined $page->{after} ? $link->('page[after]' => undef, 'page[before]' => $before) : undef,
			},
		};
	}
	my ($next, $previous) = ($page->{number} + 1, $page->{number} - 1);
	return {
		count => $total,
		next_page => $more ? $link->(page => $next) : undef,
		previous_page => $previous > 0 ? $link->(page => $previous) : undef,
	};
}

# The ids= parameter, at most 100.
sub ids_parameter ($self, $q)
{
	my $ids = $q->{params}->param('ids') // '';
	my @ids = split /,/, $ids;

	$self->invalid_attribute('ids', 'must be a list of integers') if !@ids || grep { !/^\d{1,15}\z/ } @ids;
	fail(400, { error => { title => 'Invalid attribute', message => 'Too many ids. The limit is 100' } }) if @ids > 100;
	return @ids;
}

# The decoded ticket, or 404; a deleted one is there only for the export.
sub _existing ($self, $q, $id)
{
	$self->invalid_attribute('id', 'must be an integer') if $id !~ /^\d{1,15}\z/;
	$self->not_found if $q->{a}->deleted->{$id};
	return $q->{a}->ticket($id) // $self->not_found;
}

sub ticket_comments ($self, $q)
{
	my $ticket = _existing($self, $q, $q->{p}{id});
	my $account = $q->{a};
	my %by_id = map { $_->{id} => $_ } @{ $account->ticket_comments($ticket) };
	my @ids = map { $_->{id} } @{ $account->ticket_comments($ticket) };

	@ids = reverse @ids if ($q->{params}->param('sort') // '') eq '-created_at' || ($q->{params}->param('sort_order') // '') eq 'desc';
	my $after = b64_decode($q->{params}->param('page[after]') // '') // '';
	my $page = _paging($self, $q, scalar @ids);
	if (defined $page->{after})
	{
		my ($at) = grep { $ids[$_] == $after } 0 .. $#ids;
		splice @ids, 0, ($at // -1) + 1;
	}
	my $total = @ids;
	splice @ids, 0, $page->{skip};
	my $more = @ids > $page->{size};
	my @shown = splice @ids, 0, $page->{size};
	my $reply = { comments => [ @by_id{@shown} ], %{ _envelope($self, $q, $page, $total, $more, $shown[0], $shown[-1]) } };
	if (($q->{params}->param('include') // '') =~ /\busers\b/)
	{
		my %authors = map { $_->{author_id} => 1 } @{ $reply->{comments} };
		$reply->{users} = [ grep { defined } map { $account->users->{$_} } sort keys %authors ];
	}
	return (200, $reply);
}

# Nothing makes a comment public again.
sub comment_make_private ($self, $q)
{
	my $ticket = _existing($self, $q, $q->{p}{id});

	$q->{a}->edit_comment($ticket, $q->{p}{comment}, $q->{user}{id}, private => 1) or $self->not_found;
	$q->{a}->put($ticket);
	$self->wrote($q, 'make_private', $ticket->{id}, 200);
	return (200, \'""');
}

# What stands in <redact> in the given HTML is replaced.
sub comment_redact ($self, $q)
{
	my $body = $self->body($q);
	my $ticket = _existing($self, $q, ref $body eq 'HASH' ? $body->{ticket_id} // '' : '');
	my ($text) = ($body->{html_body} // '') =~ m{<redact>(.*?)</redact>}s;
	my $comment = $q->{a}->edit_comment($ticket, $q->{p}{comment}, $q->{user}{id}, redact => $text // '') or $self->not_found;

	$q->{a}->put($ticket);
	$self->wrote($q, 'redact', $ticket->{id}, 200);
	return (200, { comment => $comment });
}

sub ticket_tags ($self, $q)
{
	return (200, { tags => _existing($self, $q, $q->{p}{id})->{tags} });
}

sub deleted_tickets ($self, $q)
{
	my $account = $q->{a};

	$self->take($q, 'deleted_tickets');
	my ($by, $order) = map { $q->{params}->param($_) // '' } qw(sort_by sort_order);
	my @ids = sort { $by eq 'deleted_at' && $account->ticket($a)->{updated_at} cmp $account->ticket($b)->{updated_at} || $a <=> $b } keys %{ $account->deleted };
	@ids = reverse @ids if $order eq 'desc';
	return (
		200,
		$self->page_of($q, 'deleted_tickets', \@ids, sub ($id) {
			my $ticket = $account->ticket($id);
			my $actor = $account->users->{ $account->agent_ids->[0] };
			return {
				id => $ticket->{id},
				subject => $ticket->{subject},
				description => $ticket->{description},
				actor => { id => $actor->{id}, name => $actor->{name} },
				deleted_at => $ticket->{updated_at},
				previous_state => $account->{before_deletion}{$id} // 'open',
			};
		}));
}

# ----------------------------------------------------------------- writing

sub ticket_create ($self, $q)
{
	my $account = $q->{a};
	my $key = $q->{headers}->header('Idempotency-Key');
	my $digest = sha256_hex($q->{body});

	if (defined $key)
	{
		fail(400, { error => 'IdempotentRequestError', description => 'The idempotency key is too long' }) if length $key > 255;
		my $seen = $account->idempotency->{$key};
		if ($seen && $seen->{time} > $self->clock->now - $HOURS)
		{
			fail(400, { error => 'IdempotentRequestError', description => "Request parameters don't match the given idempotency key" })
			  if $seen->{digest} ne $digest;
			$q->{reply_headers}{'x-idempotency-lookup'} = 'hit';
			return @{ $seen->{reply} };
		}
		$q->{reply_headers}{'x-idempotency-lookup'} = 'miss';
	}
	my $ticket = $self->create_ticket($q, _wrapped($self, $q, 'ticket'), 'create');
	my $audit = { id => $account->new_id, ticket_id => $ticket->{id}, created_at => $ticket->{created_at}, author_id => $q->{user}{id},
		metadata => { system => {}, custom => {} }, via => $ticket->{via},
		events => [ { id => $account->new_id, type => 'Create', field_name => 'status', value => $ticket->{status} } ] };
	my @reply = (201, \('{"ticket":' . $account->ticket_json($ticket->{id}) . ',"audit":' . encode_json($audit) . '}'), { Location => $ticket->{url} });
	$account->idempotency->{$key} = { time => $self->clock->now, digest => $digest, reply => \@reply } if defined $key;
	return @reply;
}

sub ticket_update ($self, $q)
{
	my $id = $q->{p}{id};

	_existing($self, $q, $id);
	$self->take($q, 'ticket_updates');
	$self->take($q, 'one_ticket', "$q->{user}{id} $id");
	my ($ticket, $events) = $self->update_ticket($q, $id, _wrapped($self, $q, 'ticket'), 'update');
	my $audit = { id => $q->{a}->new_id, ticket_id => 0 + $id, created_at => $self->clock->iso, author_id => $q->{user}{id},
		metadata => { system => {}, custom => {} }, via => { channel => 'api', source => { from => {}, to => {}, rel => undef } }, events => $events };

	return (200, \('{"ticket":' . $q->{a}->ticket_json($id) . ',"audit":' . encode_json($audit) . '}'));
}

sub ticket_delete ($self, $q)
{
	my $ticket = _existing($self, $q, $q->{p}{id});

	$self->take($q, 'ticket_deletes');
	$q->{a}{before_deletion}{ $ticket->{id} } = $ticket->{status};
	$q->{a}->change($ticket, { status => 'deleted' }, $q->{user}{id});
	$q->{a}->put($ticket);
	$self->wrote($q, 'delete', $ticket->{id}, 204);
	return (204);
}

sub ticket_restore ($self, $q)
{
	my $account = $q->{a};
	my $id = $q->{p}{id};

	$self->not_found if !$account->deleted->{$id};
	my $ticket = $account->ticket($id);
	$account->change($ticket, { status => delete $account->{before_deletion}{$id} // 'open' }, $q->{user}{id});
	$account->put($ticket);
	$self->wrote($q, 'restore', $id, 200);
	return (200, {});
}

# PUT adds, POST replaces, DELETE removes.
sub ticket_tags_change ($self, $q)
{
	my $ticket = _existing($self, $q, $q->{p}{id});
	my $body = $self->body($q);
	my $tags = _tags($self, ref $body eq 'HASH' ? $body->{tags} : undef);
	my %tags = map { $_ => 1 } $q->{method} eq 'POST' ? () : @{ $ticket->{tags} };

	_check_stamp($ticket, $body);
	$q->{method} eq 'DELETE' ? delete @tags{@$tags} : (@tags{@$tags} = (1) x @$tags);
	my $changes = { tags => [ sort keys %tags ] };
	_check_open($self, $ticket);
	$q->{a}->change($ticket, $changes, $q->{user}{id});
	$q->{a}->put($ticket);
	my $status = $q->{method} eq 'POST' ? 201 : 200;
	$self->wrote($q, 'tags', $ticket->{id}, $status);
	return ($status, { tags => $ticket->{tags} });
}

# Create a ticket from a request's properties; returns it.
sub create_ticket ($self, $q, $given, $operation)
{
	my $account = $q->{a};
	my $changes = _check($self, $q, $given, undef);
	_check_solved($self, $account, undef, $changes);
	my $comment = delete $changes->{comment} // {};
	my $text = $comment->{body} // ($comment->{html_body} // '') =~ s/<[^>]*>//gr;

	$text = $given->{description} if $text eq '' && is_string($given->{description});
	$self->record_invalid(base => [ 'Description: cannot be blank', 'BlankValue' ]) if $text eq '';
	my $now = $self->clock->now;
	my $requester = $changes->{requester_id} // $q->{user}{id};
	my $status = $changes->{status} // ($changes->{assignee_id} ? 'open' : 'new');
	my $values = { map { $_->{id} => $_->{value} } @{ delete $changes->{custom_fields} // [] } };
	my $custom = delete $changes->{custom_status_id};
	$status = $account->custom_status($custom)->{status_category} if defined $custom;
	# only a closed ticket has follow-ups
	my $source = defined $given->{via_followup_source_id} ? $account->ticket($given->{via_followup_source_id}) : undef;
	$source = undef if $source && $source->{status} ne 'closed';
	my $ticket = $account->insert(
		submitter_id => $q->{user}{id},
		subject => undef,
		organization_id => $account->users->{$requester}{organization_id},
		is_public => exists $comment->{public} && !$comment->{public} ? false : true,
		via => { channel => 'api', source => { to => {}, $source
			? (from => { ticket_id => $source->{id}, subject => $source->{subject}, channel => $source->{via}{channel} }, rel => 'follow_up')
			: (from => {}, rel => undef) } },
		$source ? (tags => $source->{tags}) : (),
		%$changes,
		id => 0 + $account->next_ticket_id,
		requester_id => $requester,
		description => $text,
		status => $status,
		values => $values,
		created_at => $now,
		updated_at => $now,
		generated_timestamp => int $now);
	if (defined $custom)
	{
		$ticket->{custom_status_id} = $custom;
		$account->put($ticket);
	}
	if ($source)
	{
		push @{ $source->{followup_ids} }, $ticket->{id};
		$account->put($source);
	}
	$account->note_events($ticket, $q->{user}{id}, $account->ticket_comments($ticket)->[0]);
	$self->wrote($q, $operation eq 'job' ? 'create_many' : 'create', $ticket->{id}, 201,
		texts => [ $ticket->{external_id}, $text, $ticket->{subject} ],
		external_id => $ticket->{external_id});
	return $ticket;
}

# Change a ticket by a request's properties; returns (ticket, audit events).
sub update_ticket ($self, $q, $id, $given, $operation)
{
	my $ticket = _existing($self, $q, $id);

	_check_stamp($ticket, $given);
	_check_open($self, $ticket);
	my $changes = _check($self, $q, $given, $ticket);
	_check_solved($self, $q->{a}, $ticket, $changes);
	if ($operation eq 'job')
	{
		my %tags = map { $_ => 1 } @{ $changes->{tags} // $ticket->{tags} };
		$tags{$_} = 1 for @{ _tags($self, $given->{additional_tags} // []) };
		delete $tags{$_} for @{ _tags($self, $given->{remove_tags} // []) };
		$changes->{tags} = [ sort keys %tags ];
	}
	my $events = $q->{a}->change($ticket, $changes, $q->{user}{id});
	$q->{a}->put($ticket) if @$events;
	$self->wrote($q, $operation eq 'job' ? 'update_many' : 'update', $id, 200, changed => scalar @$events);
	return ($ticket, $events);
}

sub _wrapped ($self, $q, $name)
{
	my $body = $self->body($q);

	fail(400, { error => { title => 'Invalid attribute', message => "Parameter $name is required" } })
	  if ref $body ne 'HASH' || ref $body->{$name} ne 'HASH';
	return $body->{$name};
}

# The optimistic lock of safe_update.
sub _check_stamp ($ticket, $given)
{
	return if ref $given ne 'HASH' || !truthy($given->{safe_update});
	fail(409, { error => 'DatabaseConflict', description => 'Database collision' })
	  if ($given->{updated_stamp} // '') ne $ticket->{updated_at};
}

sub _check_open ($self, $ticket)
{
	$self->record_invalid(status => [ 'Status: closed prevents ticket update', 'InvalidValue' ]) if $ticket->{status} eq 'closed';
}

# Nobody solves a ticket that has no assignee, or a required field empty.  Those
# that administrators solved so stay as they are.
sub _check_solved ($self, $account, $ticket, $changes)
{
	my $status = $changes->{status} // '';
	return if $status !~ /^(?:solved|closed)\z/ || ($ticket && $ticket->{status} eq $status) || $account->{lenient_solve};
	my %values = map { $_->{id} => $_->{value} } @{ ($ticket // {})->{custom_fields} // [] }, @{ $changes->{custom_fields} // [] };
	my $assignee = exists $changes->{assignee_id} ? $changes->{assignee_id} : ($ticket // {})->{assignee_id};
	my @lacking = (defined $assignee ? () : 'Assignee', map { $_->{title} } grep { $_->{required} && ($values{ $_->{id} } // '') eq '' } @{ $account->custom_fields });
	fail(422, { error => 'RecordInvalid', description => 'Record validation errors',
		details => { base => [ map { { description => "$_: is required when solving a ticket", error => 'BlankValue' } } @lacking ] } })
	  if @lacking;
}

# Tags as an array or a string of words; lower case, sorted, each once.
sub _tags ($self, $tags)
{
	my @tags = ref $tags eq 'ARRAY' ? @$tags : is_string($tags) ? split(' ', $tags) : $self->invalid_attribute('tags', 'must be an array');

	$self->invalid_attribute('tags', 'must be an array of strings') if grep { !is_string($_) } @tags;
	my %tags = map { lc() => 1 } map { split ' ' } @tags;
	return [ sort keys %tags ];
}

# Check the properties of a request and return those that a ticket takes.
# Properties that Zendesk does not know are ignored, as it does.
sub _check ($self, $q, $given, $ticket)
{
	my $account = $q->{a};
	my %changes;

	for my $name (grep { exists $given->{$_} } qw(subject external_id priority status type due_at recipient))
	{
		my $value = $given->{$name};
		$value = "$value" if $name eq 'external_id' && is_number($value);
		$self->invalid_attribute($name, 'must be a string') if defined $value && !is_string($value);
		$changes{$name} = $value;
	}
	_check_enum($self, \%changes, 'priority', \%PRIORITY, 1);
	_check_enum($self, \%changes, 'type', \%TYPE, 1);
	_check_enum($self, \%changes, 'status', \%STATUS, 0);
	$self->record_invalid(status => [ 'Status: new is not allowed for a ticket that was not new', 'InvalidValue' ])
	  if $ticket && ($changes{status} // '') eq 'new' && $ticket->{status} ne 'new';
	$self->record_invalid(due_at => [ 'Due date: is not properly formatted', 'InvalidValue' ])
	  if defined $changes{due_at} && $changes{due_at} !~ /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?\z/;
	delete $changes{due_at} if defined $changes{due_at} && ($changes{type} // ($ticket // {})->{type} // '') ne 'task';

	_check_ids($self, $account, $given, \%changes);
	$changes{tags} = _tags($self, $given->{tags}) if defined $given->{tags};
	$changes{custom_fields} = _check_fields($self, $account, $given->{custom_fields}) if defined $given->{custom_fields};
	$changes{comment} = _check_comment($self, $account, $given->{comment}) if defined $given->{comment};
	$changes{requester_id} = _requester($self, $q, $given->{requester}) if defined $given->{requester};
	for my $who ([ followers => 'follower_ids' ], [ email_ccs => 'email_cc_ids' ])
	{
		$changes{ $who->[1] } = _people($self, $account, $who->[0], $given->{ $who->[0] }, ($ticket // {})->{ $who->[1] } // []) if defined $given->{ $who->[0] };
	}
	return \%changes;
}

# Followers, who are agents, and copies: [{user_id, action}] changes a set.
sub _people ($self, $account, $name, $given, $old)
{
	my %agents = map { $_ => 1 } @{ $account->agent_ids };
	my %ids = map { $_ => 1 } @$old;

	for my $one (@$given)
	{
		$self->invalid_attribute($name, 'must be a list of users') if ref $one ne 'HASH' || !is_int($one->{user_id}) || !$account->users->{ $one->{user_id} };
		$self->record_invalid($name => [ "\u$name: is invalid", 'InvalidValue' ]) if $name eq 'followers' && !$agents{ $one->{user_id} };
		($one->{action} // 'put') eq 'delete' ? delete $ids{ $one->{user_id} } : ($ids{ $one->{user_id} } = 1);
	}
	return [ map { 0 + $_ } sort { $a <=> $b } keys %ids ];
}

sub _check_enum ($self, $changes, $name, $allowed, $nullable)
{
	return if !exists $changes->{$name};
	my $value = $changes->{$name};
	$value = $changes->{$name} = undef if $nullable && defined $value && $value eq '';
	return if !defined $value && $nullable;
	return delete $changes->{$name} if !defined $value;
	$self->record_invalid($name => [ ucfirst($name) . ": $value is not included in the list", 'InvalidValue' ]) if !$allowed->{$value};
}

sub _check_ids ($self, $account, $given, $changes)
{
	my %agents = map { $_ => 1 } @{ $account->agent_ids };
	my %exists = (
		assignee_id => sub ($id) { $agents{$id} },
		requester_id => sub ($id) { $account->users->{$id} },
		submitter_id => sub ($id) { $account->users->{$id} },
		group_id => sub ($id) { grep { $_->{id} == $id } @{ $account->groups } },
		organization_id => sub ($id) { grep { $_->{id} == $id } @{ $account->organizations } },
		problem_id => sub ($id) { defined $account->tickets->{$id} },
		custom_status_id => sub ($id) { $account->custom_status($id) });

	for my $name (grep { exists $given->{$_} } sort keys %exists)
	{
		my $id = $given->{$name};
		$id = 0 + $id if is_string($id) && $id =~ /^\d{1,15}\z/;
		$self->invalid_attribute($name, 'must be an integer') if defined $id && !is_int($id);
		my $title = ucfirst $name =~ s/_id\z//r =~ tr/_/ /r;
		$self->record_invalid($name =~ s/_id\z//r => [ "$title: is invalid", 'InvalidValue' ]) if defined $id && !$exists{$name}->($id);
		next if !defined $id && $name =~ /^(?:requester|submitter|custom_status)_id$/;
		$changes->{$name} = $id;
	}
}

sub _check_comment ($self, $account, $comment)
{
	$comment = { body => $comment } if is_string($comment);
	$self->invalid_attribute('comment', 'must be an object') if ref $comment ne 'HASH';
	for my $name (grep { defined $comment->{$_} } qw(body html_body))
	{
		$self->invalid_attribute("comment.$name", 'must be a string') if !is_string($comment->{$name});
	}
	$self->invalid_attribute('comment.public', 'must be a boolean') if defined $comment->{public} && !is_bool($comment->{public});
	$self->invalid_attribute('comment.author_id', 'must be an integer') if defined $comment->{author_id} && !is_int($comment->{author_id});
	$self->record_invalid(base => [ 'Comment: author is invalid', 'InvalidValue' ])
	  if defined $comment->{author_id} && !$account->users->{ $comment->{author_id} };
	$self->record_invalid(comment => [ 'Comment: cannot be blank', 'BlankValue' ]) if ($comment->{body} // '') eq '' && ($comment->{html_body} // '') eq '';
	return { %$comment, files => $self->uploaded($account, $comment->{uploads}) };
}

# The user that requester {name, email} means; made if new.
sub _requester ($self, $q, $requester)
{
	$self->invalid_attribute('requester', 'must be an object') if ref $requester ne 'HASH';
	my ($name, $email) = @$requester{qw(name email)};
	$self->record_invalid(requester => [ "Requester: Email: $email is not properly formatted", 'InvalidFormat' ])
	  if defined $email && (!is_string($email) || $email !~ /^[^@\s]+@[^@\s]+\z/);
	my $user = defined $email ? $q->{a}->find_user($email) : undef;
	return $user->{id} if $user;
	$self->record_invalid(requester => [ 'Requester: Name: is too short (minimum one character)', 'BlankValue' ]) if !is_string($name) || $name eq '';
	$user = $q->{a}->add_user(name => $name, email => $email);
	return $user->{id};
}

# custom_fields as [{id, value}], each value checked by the field's type.
sub _check_fields ($self, $account, $given)
{
	my %fields = map { $_->{id} => $_ } @{ $account->custom_fields };
	my @pairs;

	$given = [ map { { id => $_, value => $given->{$_} } } keys %$given ] if ref $given eq 'HASH';
	$self->invalid_attribute('custom_fields', 'must be an array') if ref $given ne 'ARRAY';
	for my $pair (@$given)
	{
		$self->invalid_attribute('custom_fields', 'must be an array of objects with id and value') if ref $pair ne 'HASH' || !defined $pair->{id};
		my $field = $fields{ $pair->{id} } or next;    # an unknown field is ignored
		my $value = $pair->{value};
		my $type = $field->{type};
		my $error = _field_error($field, $value);
		$self->record_invalid(base => [ "$field->{title}: $error", 'InvalidValue' ]) if defined $error;
		$value = truthy($value) ? true : false if $type eq 'checkbox';
		$value = 0 + $value if $type eq 'integer' && defined $value && $value ne '';
		$value = "$value" if $type eq 'decimal' && defined $value;
		$value = undef if defined $value && !ref $value && $value eq '';
		push @pairs, { id => $field->{id}, value => $value };
	}
	return \@pairs;
}

# What is wrong with a custom field's value, undef if nothing.
sub _field_error ($field, $value)
{
	my $type = $field->{type};

	return if !defined $value || (!ref $value && $value eq '');
	if ($type eq 'tagger' || $type eq 'multiselect')
	{
		my %options = map { $_->{value} => 1 } @{ $field->{custom_field_options} };
		return 'is invalid' if ($type eq 'tagger') == (ref $value eq 'ARRAY');
		for my $option (ref $value eq 'ARRAY' ? @$value : $value)
		{
			return "$option is not a valid option" if !is_string($option) || !$options{$option};
		}
	}
	elsif ($type eq 'integer') { return 'must be an integer' if ref $value || $value !~ /^-?\d+\z/ }
	elsif ($type eq 'decimal') { return 'must be a decimal' if ref $value || $value !~ /^-?\d+(?:\.\d+)?\z/ }
	elsif ($type eq 'checkbox') { return 'must be a boolean' if !is_bool($value) && $value !~ /^(?:0|1|true|false)\z/ }
	elsif ($type eq 'date') { return 'must be a date' if !is_string($value) || $value !~ /^\d{4}-\d\d-\d\d\z/ }
	elsif ($type eq 'regexp') { return 'is invalid' if !is_string($value) || $value !~ /$field->{regexp_for_validation}/ }
	elsif (!is_string($value)) { return 'must be a string' }
	return;
}

1;
