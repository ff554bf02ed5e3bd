package Simulator::HaloPSA::Tickets;

# HaloPSA's tickets, opportunities and actions, and the checks of what they
# accept.
#
# The subs become methods of Simulator::HaloPSA.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Mojo::JSON qw(false true);
use Mojo::Util qw(b64_decode);
use Simulator::HaloPSA::Instance;
use Simulator::Vendor qw(is_bool is_number is_string truthy);

our @EXPORT = qw(ticket_routes tickets opportunities projects ticket ticket_post opportunity_post ticket_delete actions action action_post action_delete attachments attachment attachment_post);

my $PAGE = 100;

# What may be set of a ticket, by type.  Keys that steer the request have no
# effect here; all others are ignored, and listed in the ledger.
my %TYPES = (
	(map { $_ => 'text' } qw(summary details details_html team category_1 category_2 category_3 category_4 oppcontactname oppcompanyname oppemailaddress oppjobtitle opptel
		  oppaddr1 oppaddr2 oppaddr3 oppaddr4 opppostcode oppcountry oppregion opptype oppreason opphear oppcompetitors opportunity_third_party_url opptimezonename
		  third_party_id_string reportedby emailcclist userdef1 userdef2 closure_note)),
	(map { $_ => 'integer' } qw(status_id tickettype_id priority_id client_id site_id user_id agent_id pipeline_stage_id third_party_id impact urgency parent_id oppclosurecategory oppattemptsmade source)),
	(map { $_ => 'number' } qw(oppvalue oppvalue_monthly oppvalue_annual oppvalue_oneoff oppconversionprobability estimatedays cost)),
	(map { $_ => 'date' } qw(dateoccurred targetdate deadlinedate startdate followupdate fixbydate)),
	flagged => 'flag');
my %STEERING = map { $_ => 1 }
  qw(id tags add_tags customfields _novalidate donotapplytemplateintheapi _forcereassign dont_do_rules _dontupdate_devops _isimport sla_id utcoffset sendack);
my %CATALOGUES = (
	status_id => [ 'Status', 'statuses', 'id' ], priority_id => [ 'Priority', 'priorities', 'priorityid' ],
	tickettype_id => [ 'Ticket Type', 'ticket_types', 'id' ], agent_id => [ 'Agent', 'agents', 'id' ]);

sub ticket_routes ($self)
{
	return (
		'GET api/tickets' => 'tickets',
		'GET api/opportunities' => 'opportunities',
		'GET api/projects' => 'projects',
		'GET api/projects/:id' => 'ticket',
		'POST api/tickets' => 'ticket_post',
		'POST api/opportunities' => 'opportunity_post',
		(map { ("GET api/$_/:id" => 'ticket', "DELETE api/$_/:id" => 'ticket_delete') } qw(tickets opportunities)),
		'GET api/actions' => 'actions',
		'POST api/actions' => 'action_post',
		'GET api/actions/:id' => 'action',
		'DELETE api/actions/:id' => 'action_delete',
		'GET api/attachment' => 'attachments',
		'GET api/attachment/:id' => 'attachment',
		'POST api/attachment' => 'attachment_post');
}

# ------------------------------------------------------------------ listings

my %USES = (reqs => 'tickets', opps => 'opportunity', prjs => 'project');

sub tickets ($self, $q)
{
	return _listing($self, $q, $USES{ $q->{params}->param('domain') // '' } // 'tickets');
}

sub opportunities ($self, $q)
{
	return _listing($self, $q, 'opportunity');
}

sub projects ($self, $q)
{
	return _listing($self, $q, 'project');
}

sub _listing ($self, $q, $use)
{
	my $instance = $q->{i};
	my ($filter, $updated) = (_filter($q, $use), $self->update_filter($q));
	my $all = $instance->tickets;
	my @found = $q->{hidden} ? () : grep { $filter->($_) && $updated->($_->{updated}) } map { $all->{$_} } @{ $instance->ids };
	my $by_number = sub ($key) {
		return sub ($a, $b) { ($a->{$key} // 0) <=> ($b->{$key} // 0) }
	};
	my $by_text = sub ($key) {
		return sub ($a, $b) { lc($a->{$key} // '') cmp lc($b->{$key} // '') }
	};

	return $self->list(
		$q, \@found,
		sub ($ticket) { $instance->row($ticket) },
		key => 'tickets', most => $PAGE, ids => 'ticketidonly', newest_first => 1,
		sort => {
			(map { $_ => $by_number->($_) } qw(status_id priority_id client_id)),
			(map { $_ => $by_text->($_) } qw(summary team)),
			(map { $_ => $by_number->('created') } qw(dateoccurred datecreated)),
			(map { $_ => $by_number->('updated') } qw(last_update flastupdate)),
			lastactiondate => $by_number->('acted') });
}

# Whether a ticket belongs to a listing.  Closed ones do only if asked for.
sub _filter ($q, $use)
{
	my ($instance, $params) = @$q{qw(i params)};
	my %types = map { $_->{id} => $_->{use} eq $use } @{ $instance->ticket_types };
	my %closes = map { $_->{id} => $_->{closes} } @{ $instance->statuses };
	my ($closed, $open, $deleted) = (truthy($params->param('includeclosed')), truthy($params->param('open_only')), truthy($params->param('deleted')));
	my $closed_only = truthy($params->param('closed_only'));
	my %wanted = map { my $value = $params->param($_); defined $value && $value ne '' ? ($_ => { map { $_ => 1 } split /,/, $value }) : () } qw(status_id tickettype_id client_id site_id user_id agent_id);
	my %texts = map { my $value = $params->param("search_$_"); defined $value && $value ne '' ? ($_ => lc $value) : () } qw(summary details oppcontactname oppcompanyname oppemailaddress);
	my $search = lc($params->param('search') // '');
	my $ids = $params->param('ticketids');
	my ($from, $to) = map { Simulator::HaloPSA::Instance->parse_date($params->param($_)) } qw(startdate enddate);
	my $date = { dateoccured => 'created', datecleared => 'closed' }->{ lc($params->param('datesearch') // '') };

	$wanted{tickettype_id} //= { map { $_ => 1 } split /,/, $params->param('requesttype_id') } if ($params->param('requesttype_id') // '') ne '';
	$wanted{id} = { map { $_ => 1 } split /,/, $ids } if ($ids // '') ne '';
	return sub ($t) {
		return 0 if !$types{ $t->{tickettype_id} } || ($t->{deleted} // 0) != $deleted;
		my $is_closed = $closes{ $t->{status_id} };
		return 0 if $is_closed ? $open || !$closed && !$closed_only : $closed_only;
		for my $name (keys %wanted) { return 0 if !$wanted{$name}{ $t->{$name} } }
		for my $name (keys %texts) { return 0 if index(lc($t->{$name} // ''), $texts{$name}) < 0 }
		return 0 if $search ne '' && index(lc "$t->{id} $t->{summary}", $search) < 0;
		return 0 if $date && (!defined $t->{$date} || defined $from && $t->{$date} < $from || defined $to && $t->{$date} > $to);
		return 1;
	};
}

# ------------------------------------------------------------- single tickets

sub _the_ticket ($self, $q, $id = $q->{p}{id})
{
	return ($q->{hidden} ? undef : $q->{i}->ticket($id)) // $self->missing('Ticket');
}

sub ticket ($self, $q)
{
	my $ticket = _the_ticket($self, $q);
	my $shown = truthy($q->{params}->param('includedetails')) ? $q->{i}->full($ticket) : $q->{i}->row($ticket);

	return (200, \$q->{i}->json($shown));
}

sub ticket_delete ($self, $q)
{
	my $ticket = _the_ticket($self, $q);

	$q->{i}->delete_ticket($ticket);
	$self->wrote($q, 'delete', $ticket->{id}, 200, entity => _entity($q->{i}, $ticket));
	return (200, \$q->{i}->json($q->{i}->full($ticket)));
}

sub _entity ($instance, $ticket)
{
	return $instance->is_opportunity($ticket) ? 'Opportunities' : 'Tickets';
}

sub ticket_post ($self, $q) { return $self->apply($q, sub ($element) { _prepare($self, $q, $element, 'tickets') }) }

sub opportunity_post ($self, $q) { return $self->apply($q, sub ($element) { _prepare($self, $q, $element, 'opportunity') }) }

# Check an element; returns a sub that applies it.
sub _prepare ($self, $q, $element, $use)
{
	my $instance = $q->{i};
	my $id = $self->integer(id => $element->{id});
	my $old = $id ? $instance->ticket($id) // $self->missing('Ticket') : undef;
	my ($values, $ignored) = _values($self, $element);

	_known($self, $instance, $values);
	$values->{tickettype_id} //= (grep { $_->{use} eq $use } @{ $instance->ticket_types })[0]{id} if !$old;
	_place($self, $instance, $values, $old);
	$values->{tags} = _tags($self, $element, $old) if exists $element->{tags} || exists $element->{add_tags};
	my $type = $instance->in(ticket_types => $values->{tickettype_id} // $old->{tickettype_id});
	$values->{custom} = _custom($self, $instance, $type, $element->{customfields}, $old) if defined $element->{customfields};
	# Either form of the text is made of the other.
	delete $values->{details_html} if ($values->{details_html} // '') eq '';
	$values->{details} = _plain($values->{details_html}) if defined $values->{details_html};
	$values->{details_html} = undef if defined $values->{details} && !defined $values->{details_html};
	_mandatory($self, $instance, $type, $values, $old) if !truthy($element->{_novalidate});
	return sub {
		my $ticket = $old // $instance->insert(%$values);
		my $changed = $old ? $instance->change($old, $values, 'API') : [ sort keys %$values ];
		$self->wrote(
			$q, $old ? 'update' : 'create', $ticket->{id}, 201,
			entity => _entity($instance, $ticket), changed => scalar @$changed, @$ignored ? (ignored => $ignored) : (),
			$old ? () : (texts => [ @$ticket{qw(third_party_id_string details summary)} ], external_id => length($ticket->{third_party_id_string} // '') ? $ticket->{third_party_id_string} : undef));
		return sub { $instance->full($ticket) };
	};
}

# The values of an element by their types, and the keys that have no effect.
sub _values ($self, $element)
{
	my (%values, @ignored);

	for my $name (sort keys %$element)
	{
		my $value = $element->{$name};
		my $type = $TYPES{$name};
		if (!$type)
		{
			push @ignored, $name if !$STEERING{$name};
		}
		elsif ($type eq 'integer') { $values{$name} = $self->integer($name, $value) // 0 }
		elsif ($type eq 'number')
		{
			$self->error(400, "Could not convert to double. Path '[0].$name', line 1.", 'text') if defined $value && (ref $value || $value !~ /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?\z/i);
			$values{$name} = 0 + ($value // 0);
		}
		elsif ($type eq 'date') { $values{$name} = _date($self, $name, $value) }
		elsif ($type eq 'flag') { $values{$name} = truthy($value) }
		else
		{
			$self->error(400, "Unexpected character encountered while parsing value. Path '[0].$name', line 1.", 'text') if ref $value && !is_bool($value);
			$values{$name} = defined $value ? "$value" : '';
		}
	}
	return (\%values, \@ignored);
}

sub _date ($self, $name, $value)
{
	return $Simulator::HaloPSA::Instance::NEVER if !defined $value;
	my $time = Simulator::HaloPSA::Instance->parse_date($value);

	$self->error(400, "Could not convert string to DateTime: $value. Path '[0].$name', line 1.", 'text') if ref $value || !defined $time;
	return $value =~ /^\d{4}-\d\d-\d\d\z/ ? "${value}T00:00:00" : $value =~ s/ /T/r;
}

# Ids and names that must be in a catalogue; 0 and -1 stand for none.
sub _known ($self, $instance, $values)
{
	for my $name (sort grep { exists $values->{$_} } keys %CATALOGUES)
	{
		my ($label, $catalogue, $key) = @{ $CATALOGUES{$name} };
		my $id = $values->{$name};
		if ($id <= 0 && $name ne 'status_id' && $name ne 'tickettype_id')
		{
			$values->{$name} = 1 if $name eq 'agent_id';
			delete $values->{$name} if $name eq 'priority_id';
			next;
		}
		$self->error(400, "Invalid $label", 'result_code') if !$instance->in($catalogue, $id, $key);
	}
	return if !exists $values->{team};
	return delete $values->{team} if $values->{team} eq '';
	$self->error(400, "Invalid Team \"$values->{team}\"", 'result_code') if !$instance->named(teams => $values->{team});
}

# Client, site and user: what is missing follows from what is there, and what
# is there must belong together.
sub _place ($self, $instance, $values, $old)
{
	my %given = map { $_ => $values->{$_} } grep { exists $values->{$_} } qw(client_id site_id user_id);

	return if !%given;
	my $user = ($given{user_id} // 0) > 0 ? $instance->users->{ $given{user_id} } // $self->error(400, 'Invalid User', 'result_code') : undef;
	my $site = ($given{site_id} // 0) > 0 ? $instance->sites->{ $given{site_id} } // $self->error(400, 'Invalid Site', 'result_code') : undef;
	my $client = ($given{client_id} // 0) > 0 ? $instance->clients->{ $given{client_id} } // $self->error(400, 'Invalid Client', 'result_code') : undef;

	$site //= $instance->sites->{ $user->{site_id} } if $user;
	$site //= $instance->sites->{ $client->{main_site_id} } if $client;
	$site //= $instance->sites->{ $old ? $old->{site_id} : 18 };
	$self->error(400, 'The User does not belong to the selected Site.', 'Message') if $user && $user->{site_id} != $site->{id};
	$self->error(400, 'The Site does not belong to the selected Client.', 'Message') if $client && $site->{client_id} != $client->{id};
	@$values{qw(client_id site_id)} = (0 + $site->{client_id}, 0 + $site->{id});
	$values->{user_id} = $user ? 0 + $user->{id} : 0;
	$values->{user_id} = $old->{user_id} if $old && !exists $given{user_id} && $old->{site_id} == $site->{id};
}

# tags replaces, add_tags adds.
sub _tags ($self, $element, $old)
{
	my @tags = exists $element->{tags} ? () : @{ $old ? $old->{tags} : [] };

	for my $list (grep { defined } @$element{qw(tags add_tags)})
	{
		$self->error(400, "Error converting value to type 'Tag'. Path '[0].tags', line 1.", 'text') if ref $list ne 'ARRAY' || grep { ref $_ ne 'HASH' } @$list;
		push @tags, map { $_->{text} // '' } @$list;
	}
	my %seen;
	return [ grep { $_ ne '' && !$seen{$_}++ } @tags ];
}

# Custom fields by id or name; one that the ticket type lacks is ignored, as is
# one that does not exist.
sub _custom ($self, $instance, $type, $given, $old)
{
	my %custom = $old ? %{ $old->{custom} } : ();
	my %has = map { $_ => 1 } @{ $type->{fields} };

	$self->error(400, "Error converting value to type 'CustomField'. Path '[0].customfields', line 1.", 'text') if ref $given ne 'ARRAY' || grep { ref $_ ne 'HASH' } @$given;
	for my $one (@$given)
	{
		my $field = $instance->field($one->{id} // $one->{name} // '') or next;
		next if !$has{ $field->{id} };
		my $value = _custom_value($self, $field, $one->{value});
		$custom{ $field->{id} } = $value;
		delete $custom{ $field->{id} } if !defined $value;
	}
	return \%custom;
}

# The stored form of a custom field's value; undef clears it.
sub _custom_value ($self, $field, $value)
{
	my ($type, $label) = @$field{qw(type label)};
	my $refuse = sub ($text) { $self->error(400, "$text is not a valid value for $label", 'result_code') };

	return undef if !defined $value || !ref $value && $value eq '';
	if ($type == 2)
	{
		my ($option) = grep { !ref $value && $_->{id} eq $value } @{ $field->{options} };
		return undef if !ref $value && $value eq '0';
		return $option ? $option->{id} : $refuse->(ref $value ? 'An object' : "\"$value\"");
	}
	if ($type == 3)
	{
		my %known = map { $_->{id} => $_->{id} } @{ $field->{options} };
		my @ids = map { ref $_ eq 'HASH' ? $_->{id} // '' : $_ } ref $value eq 'ARRAY' ? @$value : split /,/, $value;
		my ($wrong) = grep { !defined $known{$_} } @ids;
		$refuse->("\"$wrong\"") if defined $wrong;
		return @ids ? [ map { $known{$_} } @ids ] : undef;
	}
	return truthy($value) || undef if $type == 6;
	$refuse->('An object') if ref $value;
	if ($type == 4)
	{
		$refuse->("\"$value\"") if !defined Simulator::HaloPSA::Instance->parse_date($value);
		return $value =~ /^\d{4}-\d\d-\d\d\z/ ? "${value}T00:00:00" : $value;
	}
	if ($type == 5)
	{
		my ($time) = $value =~ /^(?:\d{4}-\d\d-\d\dT)?([01]\d:[0-5]\d|2[0-3]:[0-5]\d)(?::([0-5]\d))?(?:\.\d+)?Z?\z/ or $refuse->("\"$value\"");
		return "$time:" . ($2 // '00');
	}
	$refuse->("\"$value\"") if $field->{inputtype} && $type == 0 && $value !~ /^-?\d+(?:\.\d+)?\z/;
	$self->error(400, "$label cannot be longer than $field->{characterlimit} characters", 'Message') if $field->{characterlimit} && length $value > $field->{characterlimit};
	return "$value";
}

# What the ticket type demands, in a new ticket and of what an update sets.
sub _mandatory ($self, $instance, $type, $values, $old)
{
	for my $name (@{ $type->{mandatory} })
	{
		my $field = $instance->field($name);
		my $present =
		  $field
		  ? ($values->{custom} // ($old ? $old->{custom} : {}))->{ $field->{id} }
		  : $values->{$name} // ($old ? $old->{$name} : undef);
		next if defined $present && $present ne '';
		# Records that were made before stay as they are until the field is touched.
		next if $old && ($field ? !$values->{custom} : !exists $values->{$name});
		my $label = $field ? $field->{label} : { summary => 'Summary', details => 'Details', category_1 => 'Category', oppcontactname => 'Contact Name', oppcompanyname => 'Company Name', oppvalue => 'Value' }->{$name} // $name;
		$self->error(400, "Please enter a value for the mandatory field $label", 'class_name');
	}
}

# The text of HTML, roughly.
sub _plain ($html)
{
	my $text = $html =~ s{<(?:br\s*/?|/p)>}{\n}gir =~ s/<[^>]*>//gr =~ s/\n\z//r;

	return Mojo::Util::html_unescape($text);
}

# -------------------------------------------------------------------- actions

# Those of one ticket, or of all tickets within startdate and enddate.
sub actions ($self, $q)
{
	my ($instance, $params) = @$q{qw(i params)};
	my $id = $params->param('ticket_id');
	my $one = defined $id ? $instance->ticket($id) : undef;
	my @tickets = $q->{hidden} ? () : defined $id ? $one // () : grep { !$_->{deleted} } map { $instance->tickets->{$_} } @{ $instance->ids };
	my ($from, $to) = map { Simulator::HaloPSA::Instance->parse_date($params->param($_)) } qw(startdate enddate);
	my ($html, $no_system, $no_private) = map { truthy($params->param($_)) } qw(includehtmlnote excludesys excludeprivate);
	my @found;

	for my $ticket (@tickets)
	{
		for my $action (@{ $ticket->{actions} })
		{
			next if $action->{gone} || $no_system && $action->{system} || $no_private && $action->{hidden};
			next if defined $from && $action->{time} < $from || defined $to && $action->{time} > $to;
			push @found, [ $ticket, $action ];
		}
	}
	@found = sort { $b->[1]{time} <=> $a->[1]{time} || $b->[1]{id} <=> $a->[1]{id} } @found;
	my ($total, $count) = (scalar @found, $params->param('count') // '');
	splice @found, $count if $count =~ /^[1-9]\d{0,8}\z/ && $count < @found;
	@found = () if $q->{empty_page};
	return (200, \$instance->json({ ticket_id => 0 + (defined $id && $id =~ /^\d+\z/ ? $id : 0), record_count => $total, actions => [ map { $instance->show_action(@$_, $html) } @found ] }));
}

# The files of one ticket, or of one of its actions.
sub attachments ($self, $q)
{
	my ($instance, $params) = @$q{qw(i params)};
	my $ticket = $instance->ticket($params->param('ticket_id') // '');
	my $number = $params->param('action_id');
	my @found = map { my $action = $_; map { $instance->show_file($ticket, $action, $_) } @{ $action->{files} // [] } }
	  grep { !$_->{gone} && (!$number || $_->{id} == $number) } $ticket ? @{ $ticket->{actions} } : ();

	return (200, \$instance->json({ ticket_id => $ticket ? $ticket->{id} : 0, record_count => scalar @found, attachments => \@found }));
}

# The content of a file, or where it is.
sub attachment ($self, $q)
{
	my $file = $self->files->stored->{ $q->{p}{id} };
	my $content = $self->files->content($q->{p}{id}) // $self->error(404, 'Attachment not found', 'message');

	return (200, { link => $file->{link} =~ /^http/ ? $file->{link} : $self->files->address($q->{p}{id}, 'file') }) if $file->{link};
	return (200, $content, { 'Content-Type' => 'application/octet-stream' });
}

# A file of an action, in base64.
sub attachment_post ($self, $q)
{
	my $instance = $q->{i};
	my $given = $self->body($q);
	my ($element) = ref $given eq 'ARRAY' && @$given == 1 ? @$given : $self->error(400, 'An array of one attachment is expected', 'text');
	my $ticket = $instance->ticket($self->integer(ticket_id => $element->{ticket_id}) // 0) // $self->missing('Ticket');
	my $number = $self->integer(action_id => $element->{action_id}) // 0;
	my ($action) = grep { $_->{id} == $number && !$_->{gone} } @{ $ticket->{actions} };
	my $content = b64_decode($element->{data_base64} // $self->error(400, 'No data', 'Message'));

	$self->missing('Action') if !$action;
	my $id = 9_000 + @{ $self->files->received };
	$self->files->receive($id, $content, vendor => 'halopsa', name => $element->{filename}, parent => "$ticket->{id}", action => $number, shown => truthy($element->{showforusers}));
	push @{ $action->{files} }, { id => $id, filename => $element->{filename}, filesize => length $content, showforusers => truthy($element->{showforusers}) };
	$instance->stamp($ticket);
	$self->wrote($q, 'create', "$id", 201, entity => 'Attachment', ticket => "$ticket->{id}");
	return (201, \$instance->json($instance->show_file($ticket, $action, $action->{files}[-1])));
}

# (ticket, action); the query says which ticket.
sub _the_action ($self, $q)
{
	my $ticket = _the_ticket($self, $q, $q->{params}->param('ticket_id') // '');
	my ($action) = grep { $_->{id} eq $q->{p}{id} && !$_->{gone} } @{ $ticket->{actions} };

	return ($ticket, $action // $self->missing('Action'));
}

sub action ($self, $q)
{
	return (200, \$q->{i}->json($q->{i}->show_action(_the_action($self, $q), 1)));
}

sub action_delete ($self, $q)
{
	my ($ticket, $action) = _the_action($self, $q);

	$action->{gone} = 1;
	$self->wrote($q, 'delete', "$ticket->{id}-$action->{id}", 200, entity => 'Actions');
	return (200, {});
}

sub action_post ($self, $q)
{
	my $instance = $q->{i};

	return $self->apply($q, sub ($element) { _prepare_action($self, $q, $instance, $element) });
}

sub _prepare_action ($self, $q, $instance, $element)
{
	my $ticket = $instance->ticket($self->integer(ticket_id => $element->{ticket_id}) // 0) // $self->missing('Ticket');
	my $id = $self->integer(outcome_id => $element->{outcome_id});
	my $outcome = $id ? $instance->in(outcomes => $id) : undef;
	my $name = $outcome ? $outcome->{outcome} : $element->{outcome} // '';
	my $number = $self->integer(id => $element->{id});
	my ($old) = grep { $number && $_->{id} == $number && !$_->{gone} } @{ $ticket->{actions} };
	my $status = $self->integer(new_status => $element->{new_status});

	$self->missing('Action') if $number && !$old;
	$self->error(400, 'An Outcome must be entered for this Action', 'class_name') if !$old && ref $name || $name eq '' && !$old;
	$self->error(400, 'Invalid Status', 'result_code') if $status && !$instance->in(statuses => $status);
	my %values = ($element->{note_html} // '') ne '' ? (note_html => "$element->{note_html}", note => _plain($element->{note_html})) : exists $element->{note} ? (note => "$element->{note}") : ();
	$values{hidden} = truthy($element->{hiddenfromuser}) if exists $element->{hiddenfromuser};
	$values{hours} = $element->{timetaken} if exists $element->{timetaken};
	if (my $agent = $self->integer(who_agentid => $element->{who_agentid})) {
		$values{agent_id} = $agent;
		$values{who} = ($instance->in(agents => $agent) // $self->error(400, 'Invalid Agent', 'class_name'))->{name};
	}
	return sub {
		my $action = $old // $instance->add_action($ticket, outcome => $name, outcome_id => $id // 0, who => 'API', hidden => $outcome && $outcome->{hidden} ? 1 : 0, %values);
		@$action{ keys %values } = values %values if $old;
		$instance->change($ticket, { status_id => $status }, 'API') if $status;
		$instance->stamp($ticket);
		$self->wrote($q, $old ? 'update' : 'create', "$ticket->{id}-$action->{id}", 201, entity => 'Actions', ticket => "$ticket->{id}", texts => [ $action->{note} ],
			flags => { map { $_ => $element->{$_} } grep { exists $element->{$_} } qw(hiddenfromuser sendemail sendsms send_survey dont_do_rules _prevent_outgoing) });
		return sub { $instance->show_action($ticket, $action, 1) };
	};
}

1;
