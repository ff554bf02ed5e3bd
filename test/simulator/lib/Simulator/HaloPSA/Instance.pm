package Simulator::HaloPSA::Instance;

# The data of one HaloPSA instance: clients, sites, users, the catalogues, and
# one store of tickets, of which those with a ticket type for opportunities are
# opportunities.
#
# A ticket is a hash of the values that were set; row() makes the lean object
# of the lists of it, full() the whole one.

use Mojo::Base -base, -signatures;
use Mojo::JSON qw(encode_json false true);
use Mojo::Util qw(xml_escape);
use POSIX ();
use Simulator::HaloPSA::Catalogue;
use Time::Local qw(timegm);

has [qw(name clock)];
has files => undef;    # the content of files, see Simulator::Files
has announce => undef;    # called with a ticket, what happened, and an action
has [qw(tokens tickets clients sites users webhooks)] => sub { {} };
has ids => sub { [] };
has old_build => 0;
has marks => 1;
has [qw(statuses priorities ticket_types teams outcomes custom_fields)] =>
  undef;
has 'agents';

our $NEVER = '1900-01-01T00:00:00';
my $EPOCH = '1899-12-30T00:00:00';

# Marks a string that goes out as the number it holds, with its ".0".
my $RAW = "\x{F8FF}";

sub new ($class, @arguments)
{
	my $self = $class->SUPER::new(@arguments);

	$self->$_(Simulator::HaloPSA::Catalogue->can($_)->()) for qw(statuses priorities ticket_types teams outcomes custom_fields);
	$self->agents(Simulator::HaloPSA::Catalogue::agents($self->name));
	return $self;
}

# ------------------------------------------------------------ finding things

# An entry of a catalogue by its id.
sub in ($self, $catalogue, $id, $key = 'id')
{
	return (grep { $_->{$key} == $id } @{ $self->$catalogue })[0];
}

sub named ($self, $catalogue, $name)
{
	return (grep { lc $_->{name} eq lc $name } @{ $self->$catalogue })[0];
}

# A custom field by id or name.
sub field ($self, $name)
{
	return (grep { $_->{id} eq $name || lc $_->{name} eq lc $name } @{ $self->custom_fields })[0];
}

sub type_of ($self, $ticket)
{
	return $self->in(ticket_types => $ticket->{tickettype_id});
}

sub is_opportunity ($self, $ticket)
{
	return $self->type_of($ticket)->{use} eq 'opportunity' ? 1 : 0;
}

sub is_closed ($self, $ticket)
{
	my $status = $self->in(statuses => $ticket->{status_id});

	return $status && $status->{closes} ? 1 : 0;
}

# A ticket that is not deleted.
sub ticket ($self, $id)
{
	my $ticket = $id =~ /^\d{1,10}\z/ ? $self->tickets->{$id} : undef;

	return $ticket && !$ticket->{deleted} ? $ticket : undef;
}

# ------------------------------------------------------------------- changes

sub _next ($self, $kind)
{
	return ++$self->{last_id}{$kind};
}

sub add_client ($self, %client)
{
	my $id = $self->_next('client');
	my $time = delete $client{time} // $self->clock->now;

	$client{name} //= "Client $id";
	my $site = delete $client{site} // 'Main';
	$self->clients->{$id} = { website => '', domain => '', inactive => 0, toplevel_id => 1, created => $time, updated => $time, customfields => {}, %client, id => $id };
	$self->clients->{$id}{main_site_id} = $self->add_site(client_id => $id, name => $site, phonenumber => $client{phonenumber} // '', time => $time)->{id} if $site ne '';
	return $self->clients->{$id};
}

sub add_site ($self, %site)
{
	my $id = 17 + $self->_next('site');
	my $time = delete $site{time} // $self->clock->now;

	return $self->sites->{$id} = { name => 'Main', phonenumber => '', inactive => 0, created => $time, updated => $time, %site, id => $id };
}

sub add_user ($self, %user)
{
	my $id = 37 + $self->_next('user');
	my $time = delete $user{time} // $self->clock->now;

	return $self->users->{$id} = { emailaddress => '', phonenumber => '', mobilenumber => '', title => '', inactive => 0, created => $time, updated => $time, %user, id => $id };
}

# Insert a ticket from checked values.
sub insert ($self, %ticket)
{
	my $id = 1000 + $self->_next('ticket');
	my $now = $self->clock->now;
	my $type = $self->in(ticket_types => $ticket{tickettype_id} //= 1);
	my $ticket = {
		summary => '', details => '',
		status_id => $type->{initial_status},
		priority_id => 4, client_id => 1, site_id => 18, user_id => 0, agent_id => 1,
		team => $type->{use} eq 'opportunity' ? 'Sales' : '1st Line Support',
		tags => [], custom => {}, actions => [],
		created => $now,
		%ticket,
		id => $id,
	};

	$ticket->{updated} //= $ticket->{created};
	$ticket->{acted} = $ticket->{updated};
	$ticket->{closed} = $ticket->{updated} if $self->is_closed($ticket);
	$ticket->{changeseq} = ++$self->{changeseq};
	$self->tickets->{$id} = $ticket;
	push @{ $self->ids }, $id;
	$self->_announce($ticket, 'New Ticket Logged');
	return $ticket;
}

# A ticket changed now.
sub stamp ($self, $ticket)
{
	my $now = $self->clock->now;

	# Two changes at one moment must still move the ticket forward.
	$now = $ticket->{updated} + 1e-5 if $now <= $ticket->{updated} && $ticket->{updated} - $now < 1;
	@$ticket{qw(updated acted)} = ($now, $now);
	$ticket->{changeseq} = ++$self->{changeseq};
	$self->_announce($ticket, $ticket->{deleted} ? 'Ticket Deleted' : 'Ticket Updated', delete $ticket->{new_action});
}

sub _announce ($self, $ticket, $event, $action = undef)
{
	$self->announce->($ticket, $event, $action) if $self->announce;
}

# Set checked values; returns the names of those that really changed.
sub change ($self, $ticket, $values, $who = 'Alex Admin')
{
	my @changed;

	for my $name (sort keys %$values)
	{
		my ($old, $new) = map { !defined $_ ? '' : ref $_ ? encode_json($_) : "$_" } $ticket->{$name}, $values->{$name};
		next if $old eq $new;
		push @changed, $name;
		$ticket->{$name} = $values->{$name};
	}
	if (grep { $_ eq 'status_id' } @changed)
	{
		my $closed = $self->is_closed($ticket);
		$ticket->{closed} = $closed ? $ticket->{closed} // $self->clock->now : undef;
		$ticket->{was_closed} = 1 if $closed;
		$self->add_action($ticket, outcome => 'Change Status', who => $who, system => 1, hidden => 1, note => 'Status changed to ' . $self->in(statuses => $ticket->{status_id})->{name});
	}
	$self->stamp($ticket) if @changed;
	return \@changed;
}

# Actions are numbered within their ticket.
sub add_action ($self, $ticket, %action)
{
	my $action = { time => $self->clock->now, outcome => 'Private Note', who => 'Alex Admin', note => '', %action, id => 1 + @{ $ticket->{actions} } };

	push @{ $ticket->{actions} }, $action;
	$ticket->{new_action} = $action;
	$ticket->{acted} = $action->{time};
	return $action;
}

sub delete_ticket ($self, $ticket)
{
	$ticket->{deleted} = 1;
	$self->stamp($ticket);
}

# --------------------------------------------------------- what clients see

# A time as .NET writes it: up to seven digits of a second, no zeros at the end.
sub date ($self, $time, $digits = 7, $zone = 'Z')
{
	return $NEVER if !defined $time;
	my $fraction = sprintf("%.${digits}f", $time - POSIX::floor($time)) =~ s/^\d\.?//r =~ s/0+\z//r;

	return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime POSIX::floor($time)) . ($fraction eq '' ? '' : ".$fraction") . $zone;
}

# Clients, sites and users have milliseconds and no zone.
sub local_date ($self, $time) { return $self->date($time, 3, '') }

# Seconds since the epoch of a date in a request; undef if it is none.
sub parse_date ($class, $text)
{
	my ($year, $month, $day, $hour, $minute, $second, $fraction, $zone) =
	  ($text // '') =~ /\A(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:(\.\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?\z/ or return undef;
	my $time = eval { timegm($second // 0, $minute // 0, $hour // 0, $day, $month - 1, $year) } // return undef;

	$time -= "${1}1" * ($2 * 3600 + $3 * 60) if ($zone // '') =~ /([+-])(\d\d):?(\d\d)/;
	return $time + ($fraction // 0);
}

# A number that goes out with ".0", as Halo has some ids.
sub decimal ($n) { return sprintf "$RAW%.1f", $n }

# JSON bytes of a structure.
sub json ($self, $structure)
{
	return encode_json($structure) =~ s/"\xEF\xA3\xBF(-?\d+\.\d+)"/$1/gr;
}

sub _bool ($value) { return $value ? true : false }

# A row of a list of tickets.
sub row ($self, $ticket)
{
	my $t = $ticket;
	my $type = $self->type_of($t);
	my $user = $self->users->{ $t->{user_id} };
	my $status = $self->in(statuses => $t->{status_id});
	my $update = $self->old_build ? 'flastupdate' : 'last_update';

	return {
		(map { $_ => $t->{$_} // '' } qw(summary details team category_1 category_2 category_3 category_4 oppcontactname oppcompanyname oppemailaddress
			  oppjobtitle opptel oppaddr1 oppaddr2 oppaddr3 oppaddr4 opppostcode oppcountry oppreason opphear oppcompetitors opptimezonename userdef1 userdef2 emailcclist)),
		(map { $_ => $t->{$_} // 0 } qw(impact urgency oppclosurecategory third_party_id parent_id oppattemptsmade merged_into_id)),
		(map { $_ => decimal($t->{$_} // 0) } qw(oppvalue oppvalue_monthly oppvalue_annual oppvalue_oneoff oppconversionprobability estimatedays cost slaholdtime)),
		(map { $_ => $t->{$_} // $NEVER } qw(targetdate deadlinedate startdate followupdate)),
		id => $t->{id},
		dateoccurred => $t->{dateoccurred} // $self->date($t->{created}),
		status_id => $t->{status_id},
		tickettype_id => $t->{tickettype_id},
		sla_id => 1,
		priority_id => $t->{priority_id},
		client_id => $t->{client_id},
		client_name => ($self->clients->{ $t->{client_id} } // {})->{name} // '',
		site_id => $t->{site_id},
		site_name => ($self->sites->{ $t->{site_id} } // {})->{name} // '',
		user_id => $t->{user_id},
		user_name => $user ? $user->{name} : 'General User',
		user_email => $user ? $user->{emailaddress} : '',
		reportedby => $t->{reportedby} // ($user ? $user->{emailaddress} : ''),
		# A ticket shows its user here, an opportunity what was entered.
		$type->{use} eq 'opportunity' || !$user ? () : (oppcontactname => $user->{name}, oppcompanyname => ($self->clients->{ $t->{client_id} } // {})->{name} // '', oppemailaddress => $user->{emailaddress}),
		agent_id => $t->{agent_id},
		estimate => $RAW . '-0.0',
		flagged => _bool($t->{flagged}),
		onhold => _bool($t->{status_id} == 28),
		read => false,
		excludefromsla => false,
		inactive => false,
		child_count => 0,
		attachment_count => 0,
		respondbydate => $self->date($t->{created} + 86400),
		fixbydate => $t->{fixbydate} // $self->date($t->{created} + 5 * 86400),
		$status->{closes} ? (dateclosed => $self->date($t->{closed})) : (),
		hasbeenclosed => _bool($status->{closes} || $t->{was_closed}),
		lastactiondate => $self->date($t->{acted}),
		$update => $self->date($t->{updated}),
		lastincomingemail => '0001-01-01T00:00:00',
		starttime => '00:00:00',
		organisation_id => 1,
		department_id => 17,
		workflow_id => 10,
		workflow_step => 1,
		pipeline_stage_id => $t->{pipeline_stage_id} // ($type->{use} eq 'opportunity' ? 1 : 0),
		oppregion => $t->{oppregion} // '0',
		opptype => $t->{opptype} // ' ',
		source => $t->{source} // 3,
		quantity => 1,
		$type->{use} eq 'project' ? (map { $_ => decimal($t->{$_} // 0) } qw(projecttimebudget projecttimeactual projectmoneybudget)) : (),
		$self->marks ? (third_party_id_string => $t->{third_party_id_string} // '') : (),
		customfields => $self->show_fields($t, $type, 1),
	};
}

# The object that GET of one ticket and POST return.
sub full ($self, $ticket)
{
	my $t = $ticket;
	my $row = $self->row($t);
	my $type = $self->type_of($t);
	my $priority = $self->in(priorities => $t->{priority_id}, 'priorityid');
	my $team = $self->named(teams => $t->{team});
	my $user = $self->users->{ $t->{user_id} };
	my $opportunity = $type->{use} eq 'opportunity';

	return {
		%$row,
		details_html => $t->{details_html} // ($t->{details} eq '' ? '' : '<p>' . xml_escape($t->{details}) =~ s/\n/<br>/gr . '</p>'),
		customfields => $self->show_fields($t, $type, 0),
		tags => [ map { { id => 0, text => $_ } } @{ $t->{tags} } ],
		ticket_tags => join(',', @{ $t->{tags} }),
		sla_name => 'Standard SLA',
		$priority ? (priority => { %$priority, fixtime => decimal($priority->{fixtime}), responsetime => decimal($priority->{responsetime}) }) : (),
		$team ? (team_id => $team->{id}) : (),
		$user ? (user => { map { $_ => $self->show_user($user)->{$_} } qw(id name site_id site_id_int site_name client_name firstname surname emailaddress inactive) }) : (),
		tickettype => { id => $type->{id}, guid => $type->{guid}, name => $type->{name}, use => $type->{use}, sequence => $type->{sequence}, default_sla => 1, group_id => 0 },
		use => 'ticket',
		is_opportunity => _bool($opportunity),
		is_project => _bool($type->{use} eq 'project'),
		reference => sprintf('%s-%07d', uc substr($type->{name}, 0, 2), $t->{id}),
		datecreated => $self->date($t->{created}),
		takenby => 'Admin',
		who => 'Admin',
		changeseq => $t->{changeseq},
		deleted => _bool($t->{deleted}),
		hdid => $t->{id},
		guid => sprintf('95c3ef34-c358-ef11-b9f1-%012x', $t->{id}),
		key => sprintf('a3327d5e-5772-4596-94bd-%012x', $t->{id} * 7919),
		users_name => $row->{user_name},
		contact_address => { id => 34, type => -2, line1 => '', postcode => '', primary => true, inactive => false, date_active => '2023-10-18T09:54:26.28', site_id => $t->{site_id} },
		top_level_id => 1,
		site_sla_id => 1,
		isnew => false,
		contract_id => -1,
		chargerate => -1,
		auditstatus => -1,
		auditdate => $EPOCH,
		reviewed_date => $EPOCH,
		laststatuschangestatusdate => $EPOCH,
		orionacknowledgedate => $NEVER,
		workflow_stepstarted => $self->date($t->{created}),
		messsent => 'YNYYYNYYYYYYYYY',
		itil_requesttype_id => $opportunity ? 0 : 1,
		additional_agents => [],
		olas => [],
		todo_list => [],
		services => [],
		showforusers => true,
		isbillable => true,
		sendack => true,
		_canupdate => true,
	};
}

# The custom fields of a ticket, by its type; in lists only some.
sub show_fields ($self, $ticket, $type, $lean)
{
	my @shown;

	for my $id (@{ $type->{fields} })
	{
		my $field = $self->in(custom_fields => $id) or next;
		next if $lean && !$field->{listed};
		my ($value, $display) = $self->_field_value($field, $ticket->{custom}{$id});
		push @shown,
		  { (map { $_ => $field->{$_} } qw(id name label type inputtype guid characterlimit)), summary => '', value => $value, display => $display, usage => 1,
			extratype => $field->{type} == 2 ? 1 : 0, copytochild => false, searchable => _bool($field->{listed}), calculation => '', rounding => -1, regex => '', isencrypted => false };
	}
	return \@shown;
}

# (value, display) of a custom field as they are read.
sub _field_value ($self, $field, $value)
{
	my $type = $field->{type};
	my %names = map { $_->{id} => $_->{name} } @{ $field->{options} };

	return ($value // 0, defined $value ? $names{$value} // '' : '') if $type == 2;
	if ($type == 3)
	{
		my @chosen = grep { defined $names{$_} } @{ $value // [] };
		return ([ map { { id => $_, name => $names{$_} } } @chosen ], join ', ', map { $names{$_} } @chosen);
	}
	if ($type == 4)
	{
		my ($year, $month, $day) = ($value // $NEVER) =~ /^(\d+)-(\d+)-(\d+)/;
		return ($value // $NEVER, defined $value ? "$day/$month/$year" : '');
	}
	return (defined $value ? "1901-01-01T$value" : $NEVER, $value // '') if $type == 5;
	return (_bool($value), $value ? 'Yes' : 'No') if $type == 6;
	return ($value // '', $value // '');
}

sub show_client ($self, $client)
{
	my $site = $client->{main_site_id} ? $self->sites->{ $client->{main_site_id} } : undef;

	return {
		id => $client->{id}, name => $client->{name}, toplevel_id => $client->{toplevel_id}, toplevel_name => 'UK',
		inactive => _bool($client->{inactive}), colour => '#2bd3c6', website => $client->{website} // '', domain => $client->{domain} // '',
		ref => $client->{ref} // '', accountsid => $client->{accountsid} // '', notes => $client->{notes} // '',
		main_site_id => $site ? $site->{id} : 0, main_site_name => $site ? $site->{name} : '',
		customer_relationship => $client->{prospect} ? [ { id => '2', name => 'Prospect' } ] : [ { id => '1', name => 'Customer' } ],
		customertype => $client->{prospect} ? 2 : 1, datecreated => $self->local_date($client->{created}), alastupdate => $self->local_date($client->{updated}),
		calldate => $EPOCH, is_vip => false, customfields => [], use => 'client', default_currency_code => 0,
	};
}

sub show_site ($self, $site)
{
	my $client = $self->clients->{ $site->{client_id} } // {};

	return {
		id => $site->{id}, name => $site->{name}, client_id => decimal($site->{client_id}), client_name => $client->{name} // '',
		clientsite_name => ($client->{name} // '') . "/$site->{name}", inactive => _bool($site->{inactive}), sla_id => 1, phonenumber => $site->{phonenumber} // '',
		colour => '#2bd3c6', timezone => '', maincontact_id => -1, datecreated => $self->local_date($site->{created}), slastupdate => $self->local_date($site->{updated}),
		upwho => decimal(3), contractlastchecked => $EPOCH, refnumber => 0, messagegroup_id => -1, use => 'site',
	};
}

sub show_user ($self, $user)
{
	my $site = $self->sites->{ $user->{site_id} } // {};
	my $client = $self->clients->{ $site->{client_id} // 0 } // {};

	return {
		(map { $_ => $user->{$_} // '' } qw(name emailaddress phonenumber mobilenumber title firstname surname)),
		id => $user->{id}, site_id => decimal($user->{site_id}), site_id_int => $user->{site_id}, site_name => $site->{name} // '',
		client_id => $client->{id} // 0, client_name => $client->{name} // '', initials => uc join('', map { substr $_, 0, 1 } @$user{qw(firstname surname)}),
		inactive => _bool($user->{inactive}), third_party_id => $user->{third_party_id} // '', is_prospect => false, isserviceaccount => false,
		datecreated => $self->local_date($user->{created}), ulastupdate => $self->local_date($user->{updated}), delegation_start => $EPOCH,
		azure_last_login_date => $EPOCH, colour => '#2bd3c6', linked_agent_id => 0, customfields => [], use => 'user',
	};
}

sub show_action ($self, $ticket, $action, $html = 0)
{
	return {
		ticket_id => $ticket->{id}, id => $action->{id}, outcome => $action->{outcome}, outcome_id => $action->{outcome_id} // 0, who => $action->{who}, who_type => 1,
		who_agentid => $action->{agent_id} // 3, datetime => $self->date($action->{time}), last_updated => $self->date($action->{time}), note => $action->{note},
		$html ? (note_html => $action->{note_html} // '<p>' . xml_escape($action->{note}) . '</p>') : (),
		hiddenfromuser => _bool($action->{hidden}), important => false, actioncompletiondate => $EPOCH, actionarrivaldate => $action->{began} // $EPOCH, timetaken => $action->{hours} ? 0 + $action->{hours} : decimal(0),
		nonbilltime => 0 + ($action->{free_hours} // 0), actisbillable => $action->{hours} ? true : false, emaildirection => '',
		attachment_count => scalar @{ $action->{files} // [] }, customfields => [], action_systemid => $action->{system} ? 12 : 0, _canupdate => true,
	};
}

# A file of an action: id, filename, filesize, content_type.
sub show_file ($self, $ticket, $action, $file)
{
	return {
		id => $file->{id}, ticket_id => $ticket->{id}, action_id => $action->{id}, unique_id => $ticket->{id}, type => 0, filename => $file->{filename},
		filesize => $file->{filesize} // 12, content_type => $file->{content_type} // 'text/plain', datecreated => $self->date($action->{time}), agent_id => $action->{agent_id} // 3,
		note => '', desc => '', isimage => false, showforusers => _bool($file->{showforusers} // 1),
	};
}

1;
