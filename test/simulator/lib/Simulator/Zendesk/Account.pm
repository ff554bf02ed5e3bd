package Simulator::Zendesk::Account;

# The data of one Zendesk account, and what changing it entails.
#
# A ticket is kept as the bytes of its JSON: reading, by far the most frequent
# thing, joins them; a change decodes, edits and encodes one.  `export` orders
# tickets as the incremental export shows them.

use Mojo::Base -base, -signatures;
use Mojo::JSON qw(decode_json encode_json false true);
use Mojo::Util qw(url_escape xml_escape);
use Simulator::Order;

has [qw(subdomain clock)];
has announce => undef;    # called with a ticket and what changed in it
has [qw(webhooks tickets users comments emails external_ids tokens idempotency jobs deleted user_numbers uploads attachments)] => sub { {} };
has [qw(export by_id user_export)] => sub { Simulator::Order->new };
has [qw(groups organizations custom_statuses fields agent_ids brands ticket_forms suspended_tickets)] => sub { [] };
has organization_export => sub { Simulator::Order->new };
has next_ticket_id => 1;
has next_id => 360_000_000_000;    # of everything but tickets; beyond 2^31 as at Zendesk
has holdback => 60;    # seconds that the export runs behind
has held => sub { [] };    # [visible at, ticket id, generated_timestamp] of late ones
has job_delay => 0.2;    # seconds that a job takes
has ticket_events => sub { [] };    # as the export of events shows them, by time
has files => undef;    # the content of files, see Simulator::Files
has field_tags => 0;    # keep drop-down options among the tags

my @STATUSES = qw(new open pending hold solved);
my $SURROGATE = '@@lone-surrogate@@';

my @FIELDS = (
	[ subject => 'Subject' ], [ description => 'Description' ], [ status => 'Status' ],
	[ tickettype => 'Type' ], [ priority => 'Priority' ], [ group => 'Group' ], [ assignee => 'Assignee' ],
	[ custom_status => 'Ticket status' ],
	[ tagger => 'Product area', [qw(portal api billing mobile)] ],
	[ text => 'Order number' ], [ integer => 'Affected seats' ], [ decimal => 'Refund amount' ],
	[ checkbox => 'Contract customer' ], [ date => 'Promised by' ],
	[ multiselect => 'Components', [qw(frontend backend database network)] ],
	[ textarea => 'Steps to reproduce' ], [ regexp => 'Asset tag' ]);
my $SYSTEM_FIELDS = 8;

# What stands for an escaped lone surrogate, which no JSON encoder writes.
sub surrogate ($self) { return $SURROGATE }

sub new_id ($self)
{
	$self->{next_id} = $self->next_id + 1;
	return $self->{next_id};
}

# The things every account has before there are tickets.
sub found ($self, $agents)
{
	my $now = $self->clock->now - 500 * 86400;
	my $stamp = $self->clock->iso($now);
	my @stamps = (created_at => $stamp, updated_at => $stamp);

	$self->groups([
		map { { id => $self->new_id, name => $_, deleted => false, is_public => true, default => false, @stamps } }
		  'Support', 'Billing', 'Engineering' ]);
	$self->organizations([
		map { { id => $self->new_id, name => $_, external_id => undef, domain_names => [], tags => [], organization_fields => {}, @stamps } }
		  'Northwind Traders', 'Contoso', 'Fabrikam', 'Globex Customers' ]);
	$self->organization_export->set($_->{id}, int $now) for @{ $self->organizations };
	for my $agent (@$agents)
	{
		my $user = $self->add_user(%$agent, time => $now);
		push @{ $self->agent_ids }, $user->{id};
	}
	for my $category (@STATUSES)
	{
		push @{ $self->custom_statuses }, $self->_custom_status($category, ucfirst $category, 1, $stamp);
	}
	push @{ $self->custom_statuses }, $self->_custom_status(@$_, 0, $stamp)
	  for [ open => 'Escalated' ], [ pending => 'Waiting for vendor' ], [ hold => 'In development' ];
	my $position = 0;
	push @{ $self->fields }, $self->_field(@$_, $position++, $stamp) for map { [ @$_[ 0 .. 2 ] ] } @FIELDS;
	return $self;
}

sub _custom_status ($self, $category, $label, $default, $stamp)
{
	return {
		id => $self->new_id,
		status_category => $category,
		agent_label => $label,
		end_user_label => $label,
		description => '',
		end_user_description => '',
		active => true,
		default => $default ? true : false,
		created_at => $stamp,
		updated_at => $stamp,
	};
}

sub _field ($self, $type, $title, $options, $position, $stamp)
{
	my $id = $self->new_id;
	my $field = {
		id => $id,
		url => $self->url . "/api/v2/ticket_fields/$id.json",
		type => $type,
		title => $title,
		raw_title => $title,
		description => '',
		raw_description => '',
		position => $position,
		active => true,
		required => false,
		tag => $type eq 'checkbox' ? 'contract_customer' : undef,
		regexp_for_validation => $type eq 'regexp' ? '\AAT-\d{5}\z' : undef,
		removable => $position < $SYSTEM_FIELDS ? false : true,
		created_at => $stamp,
		updated_at => $stamp,
	};
	$field->{custom_field_options} = [
		map { { id => $self->new_id, name => ucfirst, raw_name => ucfirst, value => lc($title =~ s/ .*//r) . "_$_", default => false } }
		  @$options ]
	  if $options;
	return $field;
}

sub url ($self)
{
	return 'https://' . $self->subdomain . '.zendesk.com';
}

sub custom_fields ($self)
{
	return $self->{custom_fields} //= [ @{ $self->fields }[ $SYSTEM_FIELDS .. $#{ $self->fields } ] ];
}

sub custom_status ($self, $id)
{
	return (grep { $_->{id} == $id } @{ $self->custom_statuses })[0];
}

sub default_status ($self, $category)
{
	$category = 'solved' if $category eq 'closed' || $category eq 'deleted';
	return (grep { $_->{default} && $_->{status_category} eq $category } @{ $self->custom_statuses })[0];
}

# ----------------------------------------------------------------- users

sub add_user ($self, %user)
{
	my $time = delete $user{time} // $self->clock->now;
	my $id = $self->new_id;
	my $stamp = $self->clock->iso($time);

	$self->users->{$id} = {
		id => $id,
		url => $self->url . "/api/v2/users/$id.json",
		email => undef,
		external_id => undef,
		organization_id => undef,
		phone => undef,
		role => 'end-user',
		locale => 'en-US',
		time_zone => 'Etc/UTC',
		tags => [],
		active => true,
		verified => false,
		suspended => false,
		created_at => $stamp,
		updated_at => $stamp,
		user_fields => {},
		%user,
	};
	$self->emails->{ lc $user{email} } = $id if defined $user{email};
	$self->user_export->set($id, int $time);
	return $self->users->{$id};
}

# Change a user's properties; returns whether anything changed.
sub update_user ($self, $user, $changes)
{
	my @changed = grep { ($user->{$_} // '') ne ($changes->{$_} // '') } keys %$changes;

	return 0 if !@changed;
	delete $self->emails->{ lc $user->{email} } if exists $changes->{email} && defined $user->{email};
	@$user{@changed} = @$changes{@changed};
	$self->emails->{ lc $user->{email} } = $user->{id} if defined $user->{email};
	$user->{updated_at} = $self->clock->iso;
	$self->user_export->set($user->{id}, int $self->clock->now);
	return 1;
}

sub find_user ($self, $email)
{
	my $id = $self->emails->{ lc $email } // return;
	return $self->users->{$id};
}

# --------------------------------------------------------------- tickets

# The decoded ticket, or undef.
sub ticket ($self, $id)
{
	return defined $self->tickets->{$id} ? decode_json($self->tickets->{$id}) : undef;
}

# JSON bytes of a ticket as a reply carries them.
sub ticket_json ($self, $id)
{
	my $json = $self->tickets->{$id};

	return $self->{has_surrogate} ? $json =~ s/\Q$SURROGATE/\\ud83d/gr : $json;
}

# Store a ticket and see to the indexes.
sub put ($self, $ticket, $late = 0)
{
	my $id = $ticket->{id};
	my $old = $self->{keys}{$id};

	$self->tickets->{$id} = encode_json($ticket);
	delete $self->external_ids->{$old}{$id} if defined $old;
	delete $self->{keys}{$id};
	if (defined $ticket->{external_id})
	{
		$self->{keys}{$id} = $ticket->{external_id};
		$self->external_ids->{ $ticket->{external_id} }{$id} = 1;
	}
	if ($ticket->{status} eq 'deleted')
	{
		$self->by_id->remove($id);
		$self->deleted->{$id} = 1;
	}
	else
	{
		$self->by_id->set($id, $id);
		delete $self->deleted->{$id};
	}
	if ($late)
	{
		$self->export->remove($id);
		push @{ $self->held }, [ $self->clock->now + $late, $id, $ticket->{generated_timestamp} ];
	}
	else
	{
		$self->export->set($id, $ticket->{generated_timestamp});
	}
	my $changes = delete $self->{changes}{$id};
	$self->announce->($ticket, $changes) if $changes && $self->announce;
}

# Take a ticket out altogether, as permanent deletion does.
sub forget ($self, $id)
{
	my $old = delete $self->{keys}{$id};

	$self->announce->($self->ticket($id), [ { type => 'Forget' } ]) if $self->announce && defined $self->tickets->{$id};
	delete $self->external_ids->{$old}{$id} if defined $old;
	delete $self->deleted->{$id};
	delete $self->tickets->{$id};
	delete $self->comments->{$id};
	$self->by_id->remove($id);
	$self->export->remove($id);
}

# Let late tickets into the export whose time has come.
sub release_held ($self)
{
	my $now = $self->clock->now;
	my @waiting;

	for my $held (@{ $self->held })
	{
		my (undef, $id, $time) = @$held;
		if ($held->[0] > $now) { push @waiting, $held }
		elsif (defined $self->tickets->{$id} && !$self->export->{current}{$id}) { $self->export->set($id, $time) }
	}
	$self->held(\@waiting);
}

# Insert a ticket from plain values (times in seconds): what seeding does.
sub insert ($self, %t)
{
	my $clock = $self->clock;
	my $variant = delete $t{status_variant};
	my $values = delete $t{values} // {};
	my $category = $t{status} =~ /^(?:closed|deleted)$/ ? 'solved' : $t{status};
	my $custom = (grep { $variant && !$_->{default} && $_->{status_category} eq $category } @{ $self->custom_statuses })[0]
	  // $self->default_status($category);
	my $pairs = [
		map { { id => $_->{id}, value => $values->{ $_->{id} } // ($_->{type} eq 'checkbox' ? false : undef) } }
		  @{ $self->custom_fields } ];

	$self->{has_surrogate} = 1 if index($t{subject} // '', $SURROGATE) >= 0;
	my $ticket = {
		url => $self->url . "/api/v2/tickets/$t{id}.json",
		external_id => undef, type => undef, priority => undef, assignee_id => undef,
		group_id => undef, organization_id => undef, problem_id => undef, due_at => undef,
		recipient => undef, tags => [], raw_subject => $t{subject},
		via => { channel => 'web', source => { from => {}, to => {}, rel => undef } },
		collaborator_ids => [], follower_ids => [], email_cc_ids => [], followup_ids => [],
		sharing_agreement_ids => [], forum_topic_id => undef, has_incidents => false, is_public => true,
		satisfaction_rating => undef, allow_channelback => false, allow_attachments => true,
		from_messaging_channel => false, ticket_form_id => $self->form_id, brand_id => $self->brand_id,
		%t,
		custom_status_id => $custom->{id},
		custom_fields => $pairs, fields => $pairs,
		created_at => $clock->iso($t{created_at}),
		updated_at => $clock->iso($t{updated_at}),
	};
	$self->next_ticket_id($t{id} + 1) if $t{id} >= $self->next_ticket_id;
	$self->{changes}{ $t{id} } = [ { type => 'Create' } ];
	$self->put($ticket);
	return $ticket;
}

sub form_id ($self) { return $self->{form_id} //= $self->new_id }

sub brand_id ($self) { return $self->{brand_id} //= $self->new_id }

# The brand and the form of all tickets, and those that were added.
sub all_brands ($self)
{
	my $name = $self->subdomain;

	return [
		{ id => $self->brand_id, name => ucfirst $name, subdomain => $name, brand_url => $self->url, active => true, default => true,
			has_help_center => true, help_center_state => 'enabled', host_mapping => undef, logo => undef, signature_template => '',
			ticket_form_ids => [ $self->form_id ], is_deleted => false },
		@{ $self->brands } ];
}

sub all_ticket_forms ($self)
{
	return [
		{ id => $self->form_id, name => 'Default Ticket Form', display_name => 'Default Ticket Form', active => true, default => true,
			end_user_visible => true, in_all_brands => true, restricted_brand_ids => [], position => 1,
			ticket_field_ids => [ map { $_->{id} } @{ $self->fields } ] },
		@{ $self->ticket_forms } ];
}

# An administrator makes, changes or removes (fields undefined) a group, brand,
# form or organization.
sub edit_catalogue ($self, $name, $id, $fields)
{
	my $stamp = $self->clock->iso;
	my ($entry) = grep { $_->{id} == ($id // 0) } @{ $self->$name };

	if (!$fields)
	{
		$self->$name([ grep { $_ != ($entry // 0) } @{ $self->$name } ]);
		$self->organization_export->remove($id) if $name eq 'organizations';
		return $entry;
	}
	if (!$entry)
	{
		$entry = { id => $id // $self->new_id, created_at => $stamp,
			$name eq 'organizations' ? (external_id => undef, domain_names => [], tags => [], organization_fields => {}) : () };
		push @{ $self->$name }, $entry;
	}
	@$entry{ keys %$fields, 'updated_at' } = (values %$fields, $stamp);
	$self->organization_export->set($entry->{id}, int $self->clock->now) if $name eq 'organizations';
	return $entry;
}

# Apply changed properties, already checked, to a ticket; returns the audit
# events.  Nothing changed means no new updated_at, as at Zendesk.
sub change ($self, $ticket, $changes, $author)
{
	my @events;
	my $set = sub ($name, $value) {
		my ($old, $new) = map { encode_json([$_]) } $ticket->{$name}, $value;
		return if $old eq $new;
		push @events, { id => $self->new_id, type => 'Change', field_name => $name,
			value => $value, previous_value => $ticket->{$name} };
		$ticket->{$name} = $value;
	};
	my %plain = %$changes;
	my ($comment, $fields, $status, $custom) = delete @plain{qw(comment custom_fields status custom_status_id)};

	# An assigned ticket is not new any more.
	$status //= 'open' if $plain{assignee_id} && $ticket->{status} eq 'new' && !defined $custom;
	if (defined $custom)
	{
		$set->(custom_status_id => $custom);
		$set->(status => $self->custom_status($custom)->{status_category});
	}
	elsif (defined $status)
	{
		my $default = $self->default_status($status);
		$set->(custom_status_id => $default->{id}) if $ticket->{status} ne $status && $status ne 'closed' && $status ne 'deleted';
		$set->(status => $status);
	}
	$plain{raw_subject} = $plain{subject} if exists $plain{subject};
	$set->($_ => $plain{$_}) for sort keys %plain;
	if ($fields)
	{
		my %new = map { $_->{id} => $_->{value} } @$fields;
		my @pairs = map { { id => $_->{id}, value => exists $new{ $_->{id} } ? $new{ $_->{id} } : $_->{value} } }
		  @{ $ticket->{custom_fields} };
		$set->(tags => $self->_tags_with_options($ticket, \@pairs)) if $self->field_tags;
		$set->(custom_fields => \@pairs);
		$ticket->{fields} = \@pairs;
	}
	push @events, $self->_comment($ticket, $comment, $author) if $comment;
	$self->stamp($ticket) if @events;
	$self->note_events($ticket, $author, @events) if @events;
	push @{ $self->{changes}{ $ticket->{id} } }, @events;
	return \@events;
}

# A ticket is merged into another one; returns false if that cannot be.
sub merge ($self, $id, $into, $author, $how = {})
{
	my ($loser, $winner) = map { $self->ticket($_) } $id, $into;

	return if !$loser || !$winner || $id == $into || grep { $_->{status} =~ /^(?:closed|deleted)\z/ } $loser, $winner;
	for my $one ([ $winner, $loser, 'target', "Request #$id was closed and merged into this request." ],
		[ $loser, $winner, 'source', "This request was closed and merged into request #$into." ])
	{
		my ($ticket, $other, $side, $text) = @$one;
		my $comment = { body => $how->{"${side}_comment"} // $text, public => $how->{"${side}_comment_is_public"} ? true : false,
			via => { channel => 'system', source => { from => { ticket_id => $other->{id}, subject => $other->{subject} }, to => {}, rel => 'merge' } } };
		my %tags = map { $_ => 1 } @{ $ticket->{tags} };
		$self->change($ticket, { comment => $comment, $side eq 'source' ? (status => 'closed', tags => [ sort keys %{ { %tags, closed_by_merge => 1 } } ]) : () }, $author);
		push @{ $self->{changes}{ $ticket->{id} } }, { type => 'TicketMerge' } if $side eq 'source';
		$self->put($ticket);
	}
	return 1;
}

# An event of the export: what one update did to a ticket.
sub note_events ($self, $ticket, $author, @children)
{
	push @{ $self->ticket_events }, {
		id => 5_000_000_000_000 + @{ $self->ticket_events },
		ticket_id => $ticket->{id},
		timestamp => int $self->clock->now,
		created_at => $self->clock->iso,
		updater_id => $author,
		via => 'Web service',
		event_type => 'Audit',
		child_events => [ map { +{ %$_, event_type => $_->{type}, via_reference_id => undef } } @children ],
	};
}

# A comment is redacted or made private; without an event if "quiet".
sub edit_comment ($self, $ticket, $id, $author, %how)
{
	my ($comment) = grep { $_->{id} == $id } @{ $self->comments->{ $ticket->{id} } // [] } or return;

	if (defined $how{redact})
	{
		s/\Q$how{redact}\E/"\x{2587}" x length $how{redact}/ge for @$comment{qw(body html_body plain_body)};
	}
	$comment->{public} = false if $how{private};
	$self->stamp($ticket);
	push @{ $self->{changes}{ $ticket->{id} } }, { type => $how{private} ? 'CommentPrivacyChange' : 'CommentRedactionEvent' } if !$how{quiet};
	$self->note_events($ticket, $author, { id => $self->new_id, comment_id => 0 + $id, type => $how{private} ? 'CommentPrivacyChange' : 'CommentRedactionEvent' })
	  if !$how{quiet};
	return $comment;
}

# With field_tags: the ticket's tags with the options of its drop-downs.
sub _tags_with_options ($self, $ticket, $pairs)
{
	my %tags = map { $_ => 1 } @{ $ticket->{tags} };
	my %value = map { $_->{id} => $_->{value} } @$pairs;

	for my $field (grep { $_->{custom_field_options} } @{ $self->custom_fields })
	{
		my %chosen = map { $_ => 1 } grep { defined } ref $value{ $field->{id} } ? @{ $value{ $field->{id} } } : $value{ $field->{id} };
		$chosen{ $_->{value} } ? ($tags{ $_->{value} } = 1) : delete $tags{ $_->{value} } for @{ $field->{custom_field_options} };
	}
	return [ sort keys %tags ];
}

# A ticket changed now.
sub stamp ($self, $ticket)
{
	$ticket->{updated_at} = $self->clock->iso;
	$ticket->{generated_timestamp} = int $self->clock->now;
}

sub _comment ($self, $ticket, $comment, $author)
{
	my $body = $comment->{body} // $comment->{html_body} =~ s/<[^>]*>//gr;
	my $id = $self->new_id;
	my $new = {
		id => $id,
		type => 'Comment',
		author_id => $comment->{author_id} // $author,
		body => $body,
		html_body => $comment->{html_body} // _html($body),
		plain_body => $body,
		public => defined $comment->{public} && !$comment->{public} ? false : true,
		attachments => [ map { $_->{url} ? $_ : $self->attachment($_) } @{ $comment->{files} // [] } ],
		audit_id => $self->new_id,
		via => $comment->{via} // { channel => 'api', source => { from => {}, to => {}, rel => undef } },
		metadata => { system => {}, custom => {} },
		created_at => $self->clock->iso,
	};
	push @{ $self->comments->{ $ticket->{id} } }, $new;
	return $new;
}

# A file that hangs on a comment, or will.
sub attachment ($self, $file)
{
	my $id = $self->new_id;
	my $url = $self->url . "/attachments/token/t$id/?name=$file->{file_name}";

	$file = $self->files->keep($id, $file);
	$url = $self->files->origin . '/zendesk/' . $self->subdomain . "/attachments/token/$id/" . url_escape($file->{file_name}) if $self->files->stored->{$id};
	return $self->attachments->{$id} = {
		id => $id,
		url => $self->url . "/api/v2/attachments/$id.json",
		content_url => $url,
		mapped_content_url => $url,
		content_type => 'text/plain',
		size => 12,
		inline => false,
		deleted => false,
		malware_access_override => false,
		malware_scan_result => 'malware_not_found',
		thumbnails => [],
		%$file,
	};
}

sub _html ($text)
{
	return '<div class="zd-comment" dir="auto"><p dir="auto">' . xml_escape($text) . '</p></div>';
}

# All comments of a ticket, the description first.
sub ticket_comments ($self, $ticket)
{
	my $first = {
		id => 1_000_000_000_000 + $ticket->{id},
		type => 'Comment',
		author_id => $ticket->{submitter_id},
		body => $ticket->{description},
		html_body => _html($ticket->{description}),
		plain_body => $ticket->{description},
		public => $ticket->{is_public},
		attachments => [],
		audit_id => 2_000_000_000_000 + $ticket->{id},
		via => $ticket->{via},
		metadata => { system => {}, custom => {} },
		created_at => $ticket->{created_at},
	};
	return [ $first, @{ $self->comments->{ $ticket->{id} } // [] } ];
}

1;
