package Simulator::HaloPSA::Control;

# What a test does to the HaloPSA instances and asks of them: the part of
# Simulator::Control for this vendor.

use Mojo::Base -strict, -signatures;
use Mojo::JSON qw(true false);
use Simulator::HaloPSA::Instance;

sub _halopsa ($app) { return $app->vendors->{halopsa} }

sub _instance ($app, $p)
{
	my $name = $p->{account} // 'acme';

	return _halopsa($app)->instances->{$name} // die "no HaloPSA instance \"$name\"\n";
}

# (instance, ticket), also one that is deleted
sub _ticket ($app, $p)
{
	my $instance = _instance($app, $p);

	return ($instance, $instance->tickets->{ $p->{id} // '' } // die "no ticket \"$p->{id}\"\n");
}

# Values as the API names them, in the form in which they are stored.
sub _stored ($instance, $fields)
{
	my %values = %$fields;
	my $custom = delete $values{customfields};

	$values{tags} = [ map { ref $_ ? $_->{text} : $_ } @{ $values{tags} } ] if $values{tags};
	for my $name (keys %values)
	{
		my $catalogue = { status_id => 'statuses', tickettype_id => 'ticket_types', agent_id => 'agents' }->{$name} or next;
		$instance->in($catalogue, $values{$name}) // die "no such $name\n";
	}
	die "cannot set \"$_\"\n" for grep { /^(?:id|actions|custom|created|updated|acted|closed|deleted|changeseq)\z/ } keys %values;
	$values{details_html} //= undef if exists $values{details};
	return (\%values, $custom);
}

# {id or name => value, ...}; null clears.
sub _set_custom ($instance, $ticket, $custom)
{
	my %set = %{ $ticket->{custom} };

	for my $name (keys %$custom)
	{
		my $field = $instance->field($name) // die "no custom field \"$name\"\n";
		defined $custom->{$name} ? ($set{ $field->{id} } = $custom->{$name}) : delete $set{ $field->{id} };
	}
	return \%set;
}

# kind: ticket (default), client, site or user.
sub create ($app, $p)
{
	my $instance = _instance($app, $p);
	my $kind = $p->{kind} // 'ticket';

	if ($kind =~ /^(?:client|site|user)\z/)
	{
		my $add = "add_$kind";
		return { id => $instance->$add(%{ $p->{fields} // {} })->{id} };
	}
	my ($values, $custom) = _stored($instance, { summary => 'Ticket', %{ $p->{fields} // {} } });
	my $ticket = $instance->insert(%$values);
	$ticket->{custom} = _set_custom($instance, $ticket, $custom) if $custom;
	return { id => $ticket->{id} };
}

sub edit ($app, $p)
{
	my $kind = $p->{kind} // 'ticket';

	if ($kind =~ /^(?:client|site|user)\z/)
	{
		my $instance = _instance($app, $p);
		my $all = "${kind}s";
		my $record = $instance->$all->{ $p->{id} // '' } // die "no $kind \"$p->{id}\"\n";
		@$record{ keys %{ $p->{fields} } } = values %{ $p->{fields} };
		$record->{updated} = $app->clock->now;
		return { id => $record->{id} };
	}
	my ($instance, $ticket) = _ticket($app, $p);
	my %fields = %{ $p->{fields} // {} };
	my $comment = delete $fields{comment};
	my ($values, $custom) = _stored($instance, \%fields);

	$values->{custom} = _set_custom($instance, $ticket, $custom) if $custom;
	my $changed = $instance->change($ticket, $values, $p->{who} // 'Alex Admin');
	if (defined $comment)
	{
		$instance->add_action($ticket, ref $comment ? %$comment : (note => $comment, hidden => 1));
		$instance->stamp($ticket);
	}
	return { id => $ticket->{id}, changed => scalar @$changed, last_update => $instance->date($ticket->{updated}) };
}

# A change of something that is not mirrored with the ticket: a note.
sub touch ($app, $p)
{
	$p->{files} = [ map { $app->files->keep($_->{id}, { %$_, defined $_->{bytes} ? (filesize => $_->{bytes}) : defined $_->{content} ? (filesize => length $_->{content}) : () }) } @{ $p->{files} } ] if $p->{files};
	return edit($app, { %$p, fields => { comment => { note => $p->{text} // 'An agent was here.', hidden => $p->{public} ? 0 : 1, map { $_ => $p->{$_} } grep { defined $p->{$_} } qw(files hours free_hours began outcome) } } });
}

# As an agent does; permanent leaves nothing behind.
sub delete_record ($app, $p)
{
	my $kind = $p->{kind} // 'ticket';

	if ($kind =~ /^(?:client|site|user)\z/)
	{
		my $all = "${kind}s";
		delete _instance($app, $p)->$all->{ $p->{id} // '' } // die "no $kind \"$p->{id}\"\n";
		return { id => $p->{id} };
	}
	my ($instance, $ticket) = _ticket($app, $p);
	if ($p->{permanent})
	{
		delete $instance->tickets->{ $ticket->{id} };
		$instance->ids([ grep { $_ != $ticket->{id} } @{ $instance->ids } ]);
	}
	else
	{
		$instance->delete_ticket($ticket);
	}
	return { id => $ticket->{id} };
}

# Change the catalogues: {catalogue: "statuses", id, fields}; an entry that is
# not there is added, and `remove` takes one away.
sub catalogue ($app, $p)
{
	my $instance = _instance($app, $p);
	my $name = $p->{catalogue} // '';
	my $key = $name eq 'priorities' ? 'priorityid' : 'id';

	die "no catalogue \"$name\"\n" if $name !~ /^(?:statuses|priorities|ticket_types|teams|agents|outcomes|custom_fields)\z/;
	my $entry = $instance->in($name, $p->{id} // die("id is missing\n"), $key);
	if ($p->{remove})
	{
		$instance->$name([ grep { $_ != ($entry // 0) } @{ $instance->$name } ]);
		return { entries => scalar @{ $instance->$name } };
	}
	if (!$entry)
	{
		$entry = { %{ $instance->$name->[0] }, $key => $p->{id} };
		push @{ $instance->$name }, $entry;
	}
	@$entry{ keys %{ $p->{fields} // {} } } = values %{ $p->{fields} // {} };
	return { entries => scalar @{ $instance->$name } };
}

sub seed ($app, $p)
{
	_halopsa($app)->seed($p->{account} // 'acme', $p->{tickets} // 0, $p->{leads} // 0, $p->{seed} // 1);
}

sub info ($app)
{
	my %instances;

	for my $instance (values %{ _halopsa($app)->instances })
	{
		my $name = $instance->name;
		my @tickets = grep { !$_->{deleted} } values %{ $instance->tickets };
		my $leads = grep { $instance->is_opportunity($_) } @tickets;
		$instances{$name} = {
			path => "/halopsa/$name", client_id => "client-$name", client_secret => "secret-$name", tenant => $name,
			tickets => @tickets - $leads, opportunities => $leads,
			(map { $_ => scalar keys %{ $instance->$_ } } qw(clients sites users)),
			live_tokens => scalar(grep { $_->{expires} > $app->clock->now } values %{ $instance->tokens }),
			custom_fields => { map { $_->{name} => $_->{id} } @{ $instance->custom_fields } },
			ticket_types => { map { $_->{name} => $_->{id} } @{ $instance->ticket_types } },
			statuses => { map { $_->{name} => $_->{id} } @{ $instance->statuses } },
		};
	}
	return \%instances;
}

# All of one kind in the order of ids, from the one after `after`; `next` is
# null at the end.  Deleted tickets only with deleted=1.
sub state ($app, $what, $p)
{
	my $instance = _instance($app, $p);
	my ($after, $limit) = ($p->{after} // 0, $p->{limit} // 10000);
	my $opportunities = $what eq 'opportunities' ? 1 : 0;
	my $tickets = $opportunities || $what eq 'tickets';
	my $store = $tickets ? 'tickets' : $what;
	my @found = grep { $_->{id} > $after } sort { $a->{id} <=> $b->{id} } values %{ $instance->$store };

	@found = grep { $instance->is_opportunity($_) == $opportunities && ($p->{deleted} || !$_->{deleted}) } @found if $tickets;
	my $next = @found > $limit ? $found[ $limit - 1 ]{id} : undef;
	splice @found, $limit if @found > $limit;
	my $show = $tickets ? sub ($ticket) { _dump($instance, $ticket, $p) } : $instance->can('show_' . $what =~ s/s\z//r);
	return \$instance->json({ next => $next, $what => [ map { $tickets ? $show->($_) : $instance->$show($_) } @found ] });
}

sub _dump ($instance, $ticket, $p)
{
	return {
		%{ $instance->full($ticket) },
		$p->{actions} ? (actions => [ map { $instance->show_action($ticket, $_, 1) } grep { !$_->{gone} } @{ $ticket->{actions} } ]) : (),
	};
}

1;
