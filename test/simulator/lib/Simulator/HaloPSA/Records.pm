package Simulator::HaloPSA::Records;

# HaloPSA's clients, sites and users, and the catalogues.
#
# The subs become methods of Simulator::HaloPSA.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Mojo::JSON qw(false true);
use Simulator::Vendor qw(is_string truthy);

our @EXPORT = qw(record_routes clients client client_post client_delete sites site site_post site_delete users user user_post user_delete statuses status priorities
  ticket_types ticket_type teams agents agent field_infos field_info lookups outcomes);

# The agent as whom applications log in.
my $API_AGENT = 3;

my %ENTITY = (Client => 'Client', Site => 'Site', User => 'Users');

sub record_routes ($self)
{
	my %routes;

	for my $entity (qw(client site users))
	{
		my $one = $entity eq 'users' ? 'user' : $entity;
		$routes{"GET api/$entity"} = "${one}s";
		$routes{"POST api/$entity"} = "${one}_post";
		$routes{"GET api/$entity/:id"} = $one;
		$routes{"DELETE api/$entity/:id"} = "${one}_delete";
	}
	return (
		%routes,
		'GET api/status' => 'statuses',
		'GET api/status/:id' => 'status',
		'GET api/priority' => 'priorities',
		'GET api/tickettype' => 'ticket_types',
		'GET api/tickettype/:id' => 'ticket_type',
		'GET api/team' => 'teams',
		'GET api/agent' => 'agents',
		'GET api/agent/:id' => 'agent',
		'GET api/fieldinfo' => 'field_infos',
		'GET api/fieldinfo/:id' => 'field_info',
		'GET api/lookup' => 'lookups',
		'GET api/outcome' => 'outcomes');
}

# ------------------------------------------------- clients, sites and users

# What is asked for of active and inactive records; active ones by default.
sub _active ($q)
{
	my ($active, $inactive) = map { $q->{params}->param($_) } qw(includeactive includeinactive);

	return sub ($record) { return $record->{inactive} ? truthy($inactive) : !defined $active || truthy($active) };
}

# A list of records of one kind that pass a filter.
sub _records ($self, $q, $kind, $key, $filter)
{
	my $instance = $q->{i};
	my ($active, $updated) = (_active($q), $self->update_filter($q));
	my $show = 'show_' . $kind =~ s/s\z//r;
	my @found = $q->{hidden} ? () : grep { $active->($_) && $updated->($_->{updated}) && $filter->($_) } values %{ $instance->$kind };

	return $self->list(
		$q, \@found,
		sub ($record) { $instance->$show($record) },
		key => $key, most => 1000, ids => 'idonly', no_id_pages => 1,
		sort => { name => sub ($a, $b) { lc $a->{name} cmp lc $b->{name} } });
}

# A filter of ids given as query parameters, and of a text in a record's values.
sub _filter ($q, $search, %ids)
{
	my %wanted = map { defined $q->{params}->param($_) ? ($ids{$_} => $q->{params}->param($_)) : () } keys %ids;
	my $text = lc($q->{params}->param('search') // '');

	return sub ($record) {
		return 0 if grep { ($record->{$_} // '') ne $wanted{$_} } keys %wanted;
		return $text eq '' || grep { index(lc($record->{$_} // ''), $text) >= 0 } @$search;
	};
}

sub clients ($self, $q)
{
	return _records($self, $q, 'clients', 'clients', _filter($q, [qw(name)], toplevel_id => 'toplevel_id'));
}

sub sites ($self, $q)
{
	return _records($self, $q, 'sites', 'sites', _filter($q, [qw(name)], client_id => 'client_id'));
}

sub users ($self, $q)
{
	my $filter = _filter($q, [qw(name emailaddress)], site_id => 'site_id');
	my $client = $q->{params}->param('client_id');

	return _records($self, $q, 'users', 'users', sub ($user) { $filter->($user) && (!defined $client || $q->{i}->sites->{ $user->{site_id} }{client_id} eq $client) });
}

sub _one ($self, $q, $kind, $name)
{
	my $record = $q->{hidden} ? undef : $q->{i}->$kind->{ $q->{p}{id} };

	return $record // $self->missing($name);
}

sub client ($self, $q) { return (200, \$q->{i}->json($q->{i}->show_client(_one($self, $q, 'clients', 'Client')))) }

# With its site and that site's client.
sub user ($self, $q)
{
	my $instance = $q->{i};
	my $user = _one($self, $q, 'users', 'User');
	my $site = $instance->sites->{ $user->{site_id} };

	return (200, \$instance->json({ %{ $instance->show_user($user) }, site => { %{ $instance->show_site($site) }, client => $instance->show_client($instance->clients->{ $site->{client_id} }) } }));
}

sub site ($self, $q) { return (200, \$q->{i}->json($q->{i}->show_site(_one($self, $q, 'sites', 'Site')))) }

sub _delete ($self, $q, $kind, $name)
{
	my $record = _one($self, $q, $kind, $name);

	delete $q->{i}->$kind->{ $record->{id} };
	$self->wrote($q, 'delete', $record->{id}, 200, entity => $ENTITY{$name});
	return (200, {});
}

sub client_delete ($self, $q) { return _delete($self, $q, 'clients', 'Client') }
sub site_delete ($self, $q) { return _delete($self, $q, 'sites', 'Site') }
sub user_delete ($self, $q) { return _delete($self, $q, 'users', 'User') }

# What may be set of a client, a site, a user: name => type.
my %SETTABLE = (
	Client => { (map { $_ => 'text' } qw(name website domain ref accountsid notes newclient_sitename newclient_phonenumber)), (map { $_ => 'integer' } qw(toplevel_id main_site_id)), inactive => 'flag' },
	Site => { (map { $_ => 'text' } qw(name phonenumber)), client_id => 'integer', inactive => 'flag' },
	User => { (map { $_ => 'text' } qw(name firstname surname emailaddress phonenumber mobilenumber title third_party_id)), site_id => 'integer', inactive => 'flag' });

# The values of an element, by their types; other keys have no effect.
sub _values ($self, $name, $element)
{
	my %values;

	for my $key (sort keys %$element)
	{
		my $type = $SETTABLE{$name}{$key} or next;
		my $value = $element->{$key};
		$values{$key} =
		    $type eq 'integer' ? $self->integer($key, $value)
		  : $type eq 'flag'    ? truthy($value)
		  : ref $value         ? $self->integer($key, $value)
		  :                      $value // '';
	}
	return \%values;
}

# Prepare an element of a POST of clients, sites or users.
sub _post ($self, $q, $kind, $name, $complete)
{
	my $instance = $q->{i};
	my $show = 'show_' . lc $name;
	my $add = 'add_' . lc $name;

	return $self->apply(
		$q,
		sub ($element) {
			my $id = $self->integer(id => $element->{id});
			my $values = _values($self, $name, $element);
			my $old = $id ? $instance->$kind->{$id} // $self->missing($name) : undef;
			$complete->($values, $old);
			return sub {
				my $record = $old // $instance->$add(%$values);
				@$record{ keys %$values } = values %$values if $old;
				$record->{updated} = $instance->clock->now;
				$self->wrote($q, $old ? 'update' : 'create', $record->{id}, 201, entity => $ENTITY{$name});
				return sub { $instance->$show($record) };
			};
		});
}

sub client_post ($self, $q)
{
	return _post(
		$self, $q, 'clients', 'Client',
		sub ($values, $old) {
			my $name = $values->{name} // ($old // {})->{name} // '';
			$self->error(400, 'Please enter a name for the Client', 'class_name') if $name eq '';
			$self->error(400, 'A Client with this name already exists.', 'Message') if grep { lc $_->{name} eq lc $name && (!$old || $_ != $old) } values %{ $q->{i}->clients };
			# A new client gets a first site with it.
			my ($site, $phone) = delete @$values{qw(newclient_sitename newclient_phonenumber)};
			@$values{qw(site phonenumber)} = ($site // 'Main', $phone // '') if !$old;
		});
}

sub site_post ($self, $q)
{
	return _post(
		$self, $q, 'sites', 'Site',
		sub ($values, $old) {
			$self->error(400, 'Please enter a name for the Site', 'class_name') if ($values->{name} // ($old // {})->{name} // '') eq '';
			$self->error(400, 'Please select a Client', 'class_name') if !$q->{i}->clients->{ $values->{client_id} // ($old // {})->{client_id} // 0 };
		});
}

sub user_post ($self, $q)
{
	return _post(
		$self, $q, 'users', 'User',
		sub ($values, $old) {
			$values->{name} = join ' ', grep { length } @$values{qw(firstname surname)} if !$old && ($values->{name} // '') eq '';
			@$values{qw(firstname surname)} = $values->{name} =~ /^(.*?)\s*(\S*)\z/s if !$old && !length($values->{surname} // '');
			$self->error(400, 'Please enter a name for the User', 'class_name') if ($values->{name} // ($old // {})->{name} // '') eq '';
			$self->error(400, 'Please select a Site', 'class_name') if !$q->{i}->sites->{ $values->{site_id} // ($old // {})->{site_id} // 0 };
		});
}

# --------------------------------------------------------------- catalogues

sub _status ($status)
{
	return { (map { $_ => $status->{$_} } qw(id guid name shortname type sequence colour slaaction)), ticket_count => 0, showonquickchange => true, statuschangeto => 0, tickettypes => [] };
}

# type=ticket or opportunity; domain is for counts only.
sub statuses ($self, $q)
{
	my $type = $q->{params}->param('type') // '';
	my @found = grep { $type eq '' || index($type, $_->{use}) == 0 || $type eq $_->{type} } @{ $q->{i}->statuses };

	@found = grep { !$_->{closes} } @found if truthy($q->{params}->param('excludeclosed'));
	return (200, [ map { _status($_) } @found ]);
}

sub status ($self, $q)
{
	return (200, _status($q->{i}->in(statuses => $q->{p}{id}) // $self->missing('Status')));
}

sub priorities ($self, $q)
{
	return (200, \$q->{i}->json([ map { { %$_, fixtime => Simulator::HaloPSA::Instance::decimal($_->{fixtime}), responsetime => Simulator::HaloPSA::Instance::decimal($_->{responsetime}) } } @{ $q->{i}->priorities } ]));
}

sub _type ($type)
{
	return {
		(map { $_ => $type->{$_} } qw(id guid name use sequence)),
		group_id => 0, group_name => '', default_sla => 1, cancreate => true, agentscanselect => true, enduserscanselect => $type->{use} eq 'tickets' ? true : false,
		hasmandatorytechfields => true, visible => true, workflow_id => 10 };
}

sub ticket_types ($self, $q)
{
	return (200, [ map { _type($_) } @{ $q->{i}->ticket_types } ]);
}

# With its fields; technew says whether one is seen (1) and mandatory (2) when
# an agent makes a ticket.
sub ticket_type ($self, $q)
{
	my $instance = $q->{i};
	my $type = $instance->in(ticket_types => $q->{p}{id}) // $self->missing('Ticket Type');
	my %mandatory = map { $_ => 1 } @{ $type->{mandatory} };
	my $sequence = 0;
	my @names = ((grep { !$instance->field($_) } @{ $type->{mandatory} }), map { $instance->in(custom_fields => $_)->{name} } @{ $type->{fields} });

	return (200, _type($type)) if !truthy($q->{params}->param('includedetails'));
	return (
		200,
		{   %{ _type($type) },
			initial_status => $type->{initial_status},
			fields => [
				map {
					my $field = $instance->field($_);
					{   id => ++$sequence, rtid => $type->{id}, fieldid => $field ? $field->{id} : 0, fieldname => $_, seq => $sequence, technew => $mandatory{$_} ? 2 : 1, techdetail => 1,
						endusernew => 1, enduserdetail => 1, canupdate => true, fieldinfo => $field ? _field($field, 1) : { id => 0, name => $_, label => $_, mandatory => $mandatory{$_} ? true : false, custom => 0 } }
				} @names ] });
}

sub teams ($self, $q)
{
	return (200, [ map { { %$_, ticket_count => 0 } } @{ $q->{i}->teams } ]);
}

sub _agent ($instance, $agent)
{
	my %shown = (%$agent, team => $instance->in(teams => $agent->{team_id})->{name});

	delete $shown{team_id};
	return \%shown;
}

# Those who are disabled only with includedisabled.
sub agents ($self, $q)
{
	my $disabled = truthy($q->{params}->param('includedisabled'));

	return (200, [ map { _agent($q->{i}, $_) } grep { $disabled || !$_->{isdisabled} } @{ $q->{i}->agents } ]);
}

# "me" is the agent as whom an application logs in.
sub agent ($self, $q)
{
	my $id = $q->{p}{id} eq 'me' ? $API_AGENT : $q->{p}{id};

	return (200, _agent($q->{i}, $q->{i}->in(agents => $id) // $self->missing('Agent')));
}

sub _field ($field, $values)
{
	return {
		(map { $_ => $field->{$_} } qw(id guid name label type lookup inputtype characterlimit)),
		labellong => $field->{label}, summary => '', hint => '', custom => 1, usage => 1, extratype => 0, readonly => false, mandatory => false,
		searchable => $field->{listed} ? true : false, showintable => false, regex => '', calculation => '',
		$values ? (values => [ map { { id => $_->{id}, name => $_->{name} } } @{ $field->{options} } ]) : () };
}

sub field_infos ($self, $q)
{
	my $values = truthy($q->{params}->param('includevalues'));

	return (200, [ map { _field($_, $values) } @{ $q->{i}->custom_fields } ]);
}

sub field_info ($self, $q)
{
	my $field = $q->{i}->in(custom_fields => $q->{p}{id}) // $self->missing('Field');
	my $params = $q->{params};

	return (200, _field($field, truthy($params->param('includedetails')) || truthy($params->param('getlookupvalues'))));
}

# The options of one custom field, by the number in its `lookup`.
sub lookups ($self, $q)
{
	my $wanted = $q->{params}->param('lookupid');
	my @fields = grep { $_->{lookup} && (!defined $wanted || $_->{lookup} eq $wanted) } @{ $q->{i}->custom_fields };

	return (200, [ map { my $field = $_; map { { lookupid => $field->{lookup}, id => $_->{id}, name => $_->{name}, value2 => '', inactive => false } } @{ $field->{options} } } @fields ]);
}

sub outcomes ($self, $q)
{
	return (200, [ map { { id => $_->{id}, outcome => $_->{outcome}, buttonname => $_->{outcome}, hidefromuser => $_->{hidden} ? true : false } } @{ $q->{i}->outcomes } ]);
}

1;
