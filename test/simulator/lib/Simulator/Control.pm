package Simulator::Control;

# /_control: what a test does to the simulator and asks of it.  Changes made
# here are those of agents at the vendor: no credentials, limits or faults,
# and not in the ledger.  README.md describes each endpoint.

use Mojo::Base -strict, -signatures;
use Mojo::JSON qw(decode_json encode_json);
use Simulator::HaloPSA::Control;

my %POST = (
	reset => \&_reset,
	seed => \&_seed,
	create => \&_create,
	edit => \&_edit,
	edits => \&_edits,
	touch => \&_touch,
	edit_comment => \&_edit_comment,
	merge => \&_merge,
	resurface => \&_resurface,
	delete => \&_delete,
	restore => \&_restore,
	add_list => \&_add_list,
	edit_list => \&_edit_list,
	remove_list => \&_remove_list,
	add_field => \&_add_field,
	rename_status => \&_rename_status,
	remove_status => \&_remove_status,
	catalogue => \&_catalogue,
	clock => \&_clock,
	faults => \&_add_fault,
	webhook_trouble => sub ($app, $p) { $app->webhooks->set_trouble($p); return $app->webhooks->trouble },
	edit_webhook => \&_edit_webhook,
	expire_tokens => \&_expire_tokens,
	expire_uploads => sub ($app, $p) { $app->vendors->{zendesk}->expire_uploads($p->{account} // 'acme'); return {} },
	limits => \&_limits,
	holdback => \&_holdback,
	settings => \&_settings);
my %GET = (
	info => \&_info,
	ledger => \&_ledger,
	stats => \&_stats,
	requests => \&_requests,
	webhooks => \&_webhooks,
	deliveries => \&_deliveries,
	faults => sub ($app, $p) { return { faults => $app->faults->list } },
	'state/files' => sub ($app, $p) { return { files => $app->files->received } },
	'state/tickets' => \&_state_tickets,
	'state/tasks' => \&_state_tasks,
	map {
		my $what = $_;
		("state/halopsa/$what" => sub ($app, $p) { return Simulator::HaloPSA::Control::state($app, $what, $p) })
	} qw(tickets opportunities clients sites users));

sub register ($class, $app)
{
	my $control = $app->routes->under('/_control' => sub ($c) {
		return 1 if ($c->tx->remote_address // '') =~ /^(?:127\.|::1\z)/;
		$c->render(json => { error => 'loopback only' }, status => 403);
		return 0;
	});

	$control->get("/$_" => _answer($app, $GET{$_})) for keys %GET;
	$control->post("/$_" => _answer($app, $POST{$_})) for keys %POST;
	$control->delete('/faults' => sub ($c) {
		$app->faults->drop($c->param('id'));
		$c->render(json => { faults => $app->faults->list });
	});
}

# A handler gets the query parameters or the decoded body and returns a
# structure or a reference to JSON bytes; it dies with a message to refuse.
sub _answer ($app, $handler)
{
	return sub ($c) {
		my $result = eval {
			my $given = $c->req->method eq 'GET' ? $c->req->query_params->to_hash
			  : $c->req->body eq '' ? {} : decode_json($c->req->body);
			$handler->($app, $given);
		};
		if (my $error = $@)
		{
			$error = ref $error eq 'ARRAY' ? encode_json($error) : $error;
			return $c->render(json => { error => $error =~ s/\s+\z//r }, status => 400);
		}
		$c->res->headers->content_type('application/json');
		$c->res->body(ref $result eq 'SCALAR' ? $$result : encode_json($result));
		$c->rendered(200);
	};
}

# ----------------------------------------------------------- finding things

sub _account ($app, $p)
{
	my $name = $p->{account} // $p->{subdomain} // 'acme';

	return $app->vendors->{zendesk}->accounts->{$name} // die "no Zendesk account \"$name\"\n";
}

sub _workspace ($app, $p)
{
	my $name = $p->{workspace} // $p->{account} // 'dev';
	my ($found) = grep { $_->name eq $name || $_->id eq $name } values %{ $app->vendors->{clickup}->workspaces };

	return $found // die "no ClickUp workspace \"$name\"\n";
}

# By id or by name.
sub _list ($workspace, $name)
{
	my $lists = $workspace->lists;
	my ($found) = grep { $_->{id} eq $name || $_->{name} eq $name } map { $lists->{$_} } sort keys %$lists;

	return $found // die "no list \"$name\"\n";
}

sub _vendor ($p)
{
	my $vendor = $p->{vendor} // (exists $p->{workspace} ? 'clickup' : 'zendesk');

	die "no vendor \"$vendor\"\n" if $vendor !~ /^(?:clickup|halopsa|zendesk)\z/;
	return $vendor;
}

sub _is_clickup ($p) { return _vendor($p) eq 'clickup' }

sub _is_halopsa ($p) { return _vendor($p) eq 'halopsa' }

# (workspace, task)
sub _task ($app, $p)
{
	my $workspace = _workspace($app, $p);

	return ($workspace, $workspace->tasks->{ $p->{id} // '' } // die "no task \"$p->{id}\"\n");
}

# (account, ticket)
sub _ticket ($app, $p)
{
	my $account = _account($app, $p);

	return ($account, $account->ticket($p->{id} // '') // die "no ticket \"$p->{id}\"\n");
}

# ---------------------------------------------------------- agents' changes

sub _create ($app, $p)
{
	my $fields = $p->{fields} // {};

	return Simulator::HaloPSA::Control::create($app, $p) if _is_halopsa($p);
	if (_is_clickup($p))
	{
		my $workspace = _workspace($app, $p);
		my $list = _list($workspace, $p->{list} // 'Bugs');
		my $status = defined $fields->{status} ? $workspace->status_named($list, $fields->{status}) // die "no such status\n" : $list->{statuses}[0];
		my $parent = delete $fields->{parent};
		my $task = $workspace->insert(name => 'Task', %$fields, list => $list, status => $status, fields => $p->{custom_fields} // {});
		$workspace->set_parent($task, $workspace->tasks->{$parent} // die "no such parent\n") if defined $parent;
		return { id => $task->{id} };
	}
	my $account = _account($app, $p);
	my $now = $app->clock->now;
	my $agent = $account->agent_ids->[0];
	# made by a customer, so its first comment was public, unless a test says otherwise
	my ($customer) = sort { $a <=> $b } grep { $account->users->{$_}{role} eq 'end-user' } keys %{ $account->users };
	my $ticket = $account->insert(
		subject => 'Ticket',
		description => 'Text.',
		status => 'new',
		requester_id => $agent,
		submitter_id => 0 + ($customer // $agent),
		%$fields,
		values => $p->{custom_fields} // {},
		id => 0 + $account->next_ticket_id,
		created_at => $now,
		updated_at => $now,
		generated_timestamp => int $now);
	$account->note_events($ticket, $agent, $account->ticket_comments($ticket)->[0]);
	return { id => $ticket->{id} };
}

# A comment of a ticket is redacted ("redact": the words) or made private; one of a task
# is edited ("text"), answered ("reply") or removed ("remove").
# An agent merges a ticket into another one.
sub _merge ($app, $p)
{
	my $account = $app->vendors->{zendesk}->accounts->{ $p->{account} // 'acme' } // die "no such account\n";

	$account->merge($p->{id}, $p->{into}, $account->agent_ids->[1]) or die "these tickets cannot be merged\n";
	return {};
}

sub _edit_comment ($app, $p)
{
	if (_is_clickup($p))
	{
		my $workspace = _workspace($app, $p);
		my ($task, $comment) = $workspace->the_comment($p->{comment}) or die "no comment \"$p->{comment}\"\n";
		my $id = $comment->{id};
		$comment->{text} = $p->{text} if defined $p->{text};
		$id = $workspace->add_reply($id, $p->{reply}, $workspace->member_ids->[1])->{id} if defined $p->{reply};
		$workspace->remove_comment($id) if $p->{remove};
		$workspace->stamp($task) if !$p->{quiet};
		return { id => "$id" };
	}
	my ($account, $ticket) = _ticket($app, $p);

	$account->edit_comment($ticket, $p->{comment}, $account->agent_ids->[1], map { $_ => $p->{$_} } grep { exists $p->{$_} } qw(redact private quiet))
	  or die "no comment \"$p->{comment}\"\n";
	$account->put($ticket);
	return { id => $ticket->{id} };
}

sub _edit ($app, $p)
{
	my $fields = $p->{fields} // {};

	return Simulator::HaloPSA::Control::edit($app, $p) if _is_halopsa($p);
	return _edit_task($app, $p, {%$fields}) if _is_clickup($p);
	my ($account, $ticket) = _ticket($app, $p);
	my %changes = %$fields;
	my $events = $account->change($ticket, \%changes, $p->{author_id} // $account->agent_ids->[1]);
	$account->put($ticket, $p->{late_seconds} // 0);
	return { id => $ticket->{id}, changed => scalar @$events, updated_at => $ticket->{updated_at} };
}

sub _edit_task ($app, $p, $fields)
{
	my ($workspace, $task) = _task($app, $p);
	my $list = $task->{list};
	my $custom = delete $fields->{custom_fields};

	if (defined(my $name = delete $fields->{status}))
	{
		$workspace->set_status($task, $workspace->status_named($list, $name) // die "no status \"$name\"\n");
	}
	$workspace->add_comment($task, delete $fields->{comment}, $workspace->member_ids->[1]) if defined $fields->{comment};
	if ($custom)
	{
		for my $pair (@$custom)
		{
			die "no field \"$pair->{id}\"\n" if !$workspace->field($list, $pair->{id});
			defined $pair->{value} ? ($task->{fields}{ $pair->{id} } = $pair->{value}) : delete $task->{fields}{ $pair->{id} };
		}
	}
	die "cannot edit \"$_\"\n" for grep { !/^(?:name|description|priority|assignees|tags|due_date|start_date|time_estimate|points|archived|locations|custom_id|custom_item_id|watchers|checklists)\z/ } keys %$fields;
	@$task{ keys %$fields } = values %$fields;
	$p->{quiet} ? delete @$task{qw(json happened)} : $workspace->stamp($task);
	return { id => $task->{id}, date_updated => "$task->{updated}" };
}

# [{...}, ...] as for edit, or {"edits": [...]}.
sub _edits ($app, $p)
{
	my $edits = ref $p eq 'ARRAY' ? $p : $p->{edits};

	return { results => [ map { _edit($app, $_) } @$edits ] };
}

# A change of something that is not mapped: a comment, with files, and time: of an action
# its hours, of a task all its intervals, each with its user.
sub _touch ($app, $p)
{
	my $text = $p->{text} // 'An agent was here.';

	return Simulator::HaloPSA::Control::touch($app, $p) if _is_halopsa($p);
	return _touch_with_files($app, $p, $text) if _is_clickup($p) && $p->{files} && $p->{in_comment};
	push @{ (_task($app, $p))[1]{files} }, map { $app->files->keep($_->{id}, $_) } @{ $p->{files} } if _is_clickup($p) && $p->{files};
	(_task($app, $p))[1]{time} = $p->{time} if _is_clickup($p) && $p->{time};
	return _edit_task($app, $p, { comment => $text }) if _is_clickup($p);
	return _edit($app, { %$p, fields => { comment => { body => $text, public => $p->{public} // Mojo::JSON->false, files => $p->{files} } } });
}

# A comment of a task, with the files among its blocks.
sub _touch_with_files ($app, $p, $text)
{
	my ($workspace, $task) = _task($app, $p);
	my @files = map { $app->files->keep($_->{id}, $_) } @{ $p->{files} };

	push @{ $task->{files} }, @files;
	my $comment = $workspace->add_comment($task, $text, $workspace->member_ids->[1]);
	$comment->{blocks} = [ { text => $text }, map { { type => 'attachment', text => $_->{title}, attachment => $workspace->show_file($task, $_) } } @files ];
	$workspace->stamp($task);
	return { id => $task->{id}, comment => "$comment->{id}" };
}

# Tickets come back in the export with their old updated_at.
sub _resurface ($app, $p)
{
	my $account = _account($app, $p);
	my @ids = $p->{ids} ? @{ $p->{ids} } : sort { $a <=> $b } keys %{ $account->tickets };

	for my $id (@ids)
	{
		my $ticket = $account->ticket($id) // die "no ticket \"$id\"\n";
		$ticket->{generated_timestamp} = int $app->clock->now;
		$account->put($ticket, $p->{late_seconds} // 0);
	}
	return { resurfaced => scalar @ids };
}

sub _delete ($app, $p)
{
	return Simulator::HaloPSA::Control::delete_record($app, $p) if _is_halopsa($p);
	if (_is_clickup($p))
	{
		my ($workspace, $task) = _task($app, $p);
		$workspace->delete_task($task);
		return { id => $task->{id} };
	}
	my ($account, $ticket) = _ticket($app, $p);
	if ($p->{permanent})
	{
		$account->forget($ticket->{id});
	}
	else
	{
		$account->{before_deletion}{ $ticket->{id} } = $ticket->{status};
		$account->change($ticket, { status => 'deleted' }, $account->agent_ids->[0]);
		$account->put($ticket);
	}
	return { id => $ticket->{id} };
}

# ------------------------------------------------------- lists and statuses

sub _add_list ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my $lists = $workspace->lists;
	my ($space) = grep { $_->{name} eq ($p->{space} // 'Engineering') } values %{ $workspace->spaces };
	my ($folder) = defined $p->{folder} ? grep { $_->{name} eq $p->{folder} } values %{ $workspace->folders } : ();
	my ($highest) = sort { $b <=> $a } keys %$lists;
	my $list = $workspace->add_list(
		$highest + 1,
		$p->{name} // die("name is missing\n"),
		space => $space // die("no such space\n"),
		folder => $folder,
		shared => $p->{shared} // 1,
		statuses => $p->{statuses} // [ [ 'to do', 'open' ], [ 'complete', 'closed' ] ],
		fields => $p->{fields_of} ? _list($workspace, $p->{fields_of})->{fields} : []);

	return $workspace->show_list($list);
}

# {"shared": 0}: no token sees the list any more.
sub _edit_list ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my $list = _list($workspace, $p->{list} // '');

	$list->{shared} = $p->{shared} ? 1 : 0 if exists $p->{shared};
	return $workspace->show_list($list);
}

# A custom field; other vendors' catalogues are another control.
sub _add_field ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my $list = _list($workspace, $p->{list} // 'Bugs');
	my $field = {
		id => sprintf('%08x-0000-4000-8000-%012x', $list->{n}, ++$workspace->{fields_made}),
		name => $p->{name} // $p->{type},
		type => $p->{type} // die("type is missing\n"),
		required => Mojo::JSON->false,
		type_config => $p->{type_config} // {} };

	$list->{fields} = [ @{ $list->{fields} }, $field ];
	$workspace->forget_json;
	return $field;
}

# A list is deleted with its tasks.
sub _remove_list ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my $list = _list($workspace, $p->{list} // '');
	my @tasks = grep { $_->{list} == $list } values %{ $workspace->tasks };

	$workspace->tasks->{ $_->{id} } && $workspace->delete_task($_) for @tasks;
	delete $workspace->lists->{ $list->{id} };
	return { tasks => scalar @tasks };
}

# A task comes back from the trash, as it was.
sub _restore ($app, $p)
{
	my $workspace = _workspace($app, $p);

	$workspace->restore_task($p->{id} // '') or die "no deleted task \"$p->{id}\"\n";
	return { id => $p->{id} };
}

sub _status ($workspace, $list, $name)
{
	return $workspace->status_named($list, $name // '') // die "no such status\n";
}

sub _rename_status ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my $list = _list($workspace, $p->{list});

	_status($workspace, $list, $p->{status})->{status} = $p->{to} // die "to is missing\n";
	$workspace->forget_json;
	return $workspace->show_list($list);
}

# The tasks move to another status, and are updated by that.
sub _remove_status ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my $list = _list($workspace, $p->{list});
	my $gone = _status($workspace, $list, $p->{status});
	my $new = _status($workspace, $list, $p->{move_to} // $list->{statuses}[0]{status});

	die "the tasks need another status\n" if $new == $gone;
	$list->{statuses} = [ grep { $_ != $gone } @{ $list->{statuses} } ];
	for my $task (grep { $_->{list} == $list && $_->{status} == $gone } values %{ $workspace->tasks })
	{
		$workspace->set_status($task, $new);
		$workspace->stamp($task);
	}
	return $workspace->show_list($list);
}

# What an administrator sets up.
sub _catalogue ($app, $p)
{
	return Simulator::HaloPSA::Control::catalogue($app, $p) if ($p->{vendor} // 'halopsa') eq 'halopsa';
	my $name = $p->{catalogue} // '';

	die "no catalogue \"$name\"\n" if $name !~ /^(?:groups|brands|ticket_forms|organizations|suspended_tickets)\z/;
	return _account($app, $p)->edit_catalogue($name, $p->{id}, $p->{remove} ? undef : $p->{fields} // {}) // {};
}

# --------------------------------------------------- the simulator's own state

sub _reset ($app, $p)
{
	$app->restart($p);
	return _info($app, {});
}

sub _seed ($app, $p)
{
	if (_is_halopsa($p))
	{
		Simulator::HaloPSA::Control::seed($app, $p);
	}
	elsif (_is_clickup($p))
	{
		my $id = $p->{id} // die "id is missing\n";
		my $name = $p->{name} // $id;
		my $clickup = $app->vendors->{clickup};
		$clickup->seed($id, $name, $p->{tasks} // 0, $p->{seed} // 1);
		$clickup->tokens->{"pk_183_\U$name"} //= { user => 183, workspaces => [$id] };
	}
	else
	{
		$app->vendors->{zendesk}->seed($p->{subdomain} // 'acme', $p->{tickets} // 0, $p->{seed} // 1, $p->{nasty});
	}
	return _info($app, {});
}

sub _clock ($app, $p)
{
	my $clock = $app->clock;

	$clock->offset($p->{offset_seconds}) if defined $p->{offset_seconds};
	$clock->offset($clock->offset + $p->{advance_seconds}) if defined $p->{advance_seconds};
	return { offset_seconds => $clock->offset, now => $clock->now };
}

# One rule or an array of them.
sub _add_fault ($app, $p)
{
	my @ids = map { $app->faults->add($_) } ref $p eq 'ARRAY' ? @$p : $p;

	return { ids => \@ids };
}

sub _expire_tokens ($app, $p)
{
	my $expired = 0;

	for my $name (sort keys %{ $app->vendors })
	{
		next if defined $p->{vendor} && $p->{vendor} ne $name;
		$expired += $app->vendors->{$name}->expire_tokens($p->{account});
	}
	return { expired => $expired };
}

sub _limits ($app, $p)
{
	my $limits = $app->limits;
	my $vendor = $p->{vendor} // die "vendor is missing\n";

	return $limits->plan($vendor, $p->{plan}) && {} if defined $p->{plan};
	$limits->set($vendor, $p->{account}, $p->{class} // die("class is missing\n"), $p->{calls}, $p->{seconds});
	return {};
}

sub _holdback ($app, $p)
{
	$_->holdback($p->{seconds} // 60) for defined $p->{account} ? _account($app, $p) : values %{ $app->vendors->{zendesk}->accounts };
	return {};
}

sub _settings ($app, $p)
{
	my %settings = %$p;
	my $vendor = delete $settings{vendor} // '';

	if ($vendor eq 'halopsa')
	{
		$app->vendors->{halopsa}->setting($_, $settings{$_}) for sort keys %settings;
		return {};
	}
	my ($zendesk, $clickup) = @{ $app->vendors }{qw(zendesk clickup)};
	my @accounts = defined $settings{account} ? _account($app, \%settings) : values %{ $zendesk->accounts };

	delete $settings{account};
	for my $name (sort keys %settings)
	{
		my $value = $settings{$name};
		if ($name =~ /^(?:job_delay|field_tags)\z/) { $_->$name($value) for @accounts }
		elsif ($name eq 'start_time_age') { $zendesk->start_time_age($value) }
		elsif ($name eq 'min_token_lifetime') { $zendesk->config->{min_token_lifetime} = $value }
		elsif ($name eq 'lenient_solve') { $_->{lenient_solve} = $value for @accounts }
		elsif ($name eq 'required_fields')
		{
			my %required = map { $_ => 1 } @$value;
			$_->{required} = $required{ $_->{title} } ? Mojo::JSON::true : Mojo::JSON::false for map { @{ $_->custom_fields } } @accounts;
		}
		elsif ($name eq 'paged_fields') { $zendesk->config->{paged_fields} = $value }
		elsif ($name eq 'no_forms') { $zendesk->config->{no_forms} = $value }
		elsif ($name eq 'short_export_header') { $zendesk->config->{short_export_header} = $value }
		elsif ($name eq 'clickup_gzip') { $clickup->accept_gzip($value ? 1 : 0) }
		elsif ($name eq 'clickup_page_size') { $clickup->page_size($value) }
		elsif ($name eq 'clickup_last_page') { $clickup->shows_last_page($value ? 1 : 0) }
		else { die "no setting \"$name\"\n" }
	}
	return {};
}

# What there is and how to get in.
sub _info ($app, $p)
{
	my ($zendesk, $clickup) = @{ $app->vendors }{qw(zendesk clickup)};
	my (%accounts, %workspaces);

	for my $account (values %{ $zendesk->accounts })
	{
		my $name = $account->subdomain;
		$accounts{$name} = {
			path => "/zendesk/$name",
			email => "admin\@$name.example", api_token => "token-$name",
			client_id => "client-$name", client_secret => "secret-$name",
			tickets => scalar keys %{ $account->tickets }, users => scalar keys %{ $account->users },
			deleted => scalar keys %{ $account->deleted },
			custom_fields => { map { $_->{title} => $_->{id} } @{ $account->custom_fields } },
		};
	}
	for my $workspace (values %{ $clickup->workspaces })
	{
		$workspaces{ $workspace->name } = {
			path => '/clickup', team_id => $workspace->id,
			tokens => [ grep { my $token = $clickup->tokens->{$_}; grep { $_ eq $workspace->id } @{ $token->{workspaces} } } sort keys %{ $clickup->tokens } ],
			lists => { map { $_->{name} => $_->{id} } values %{ $workspace->lists } },
			tasks => scalar keys %{ $workspace->tasks },
		};
	}
	return { zendesk => \%accounts, clickup => \%workspaces, halopsa => Simulator::HaloPSA::Control::info($app) };
}

sub _ledger ($app, $p)
{
	my %filter = map { $_ => $p->{$_} } grep { defined $p->{$_} } qw(vendor account operation object method entity);

	return { writes => $app->ledger->writes($p->{since} // 0, $p->{limit} // 10000, %filter), last_seq => $app->ledger->last_seq };
}

sub _stats ($app, $p)
{
	return { %{ $app->ledger->stats }, max_calls_per_minute => $app->limits->rolling, max_calls_per_5_minutes => $app->limits->rolling(300) };
}

sub _requests ($app, $p)
{
	my %filter = map { $_ => $p->{$_} } grep { defined $p->{$_} } qw(vendor account method path status);

	$filter{path} = qr/$filter{path}/ if defined $filter{path};
	return { requests => $app->ledger->requests($p->{since} // 0, $p->{limit} // 100, %filter) };
}

# The webhooks that are registered, with their secrets.
sub _webhooks ($app, $p)
{
	my %places = (
		zendesk => [ values %{ $app->vendors->{zendesk}->accounts } ],
		clickup => [ values %{ $app->vendors->{clickup}->workspaces } ],
		halopsa => [ values %{ $app->vendors->{halopsa}->instances } ]);
	my @found;

	for my $vendor (sort keys %places)
	{
		next if defined $p->{vendor} && $p->{vendor} ne $vendor;
		push @found, map { my $place = $_; map { +{ vendor => $vendor, account => $place->can('subdomain') ? $place->subdomain : $place->name, %{ $place->webhooks->{$_} } } } sort keys %{ $place->webhooks } } @{ $places{$vendor} };
	}
	return { webhooks => \@found };
}

# Somebody changes a webhook at the vendor, or removes it.
sub _edit_webhook ($app, $p)
{
	my $id = $p->{id} // die "id is missing\n";

	for my $place (map { values %$_ } $app->vendors->{zendesk}->accounts, $app->vendors->{clickup}->workspaces, $app->vendors->{halopsa}->instances)
	{
		my $hook = $place->webhooks->{$id} or next;
		@$hook{ keys %{ $p->{fields} // {} } } = values %{ $p->{fields} // {} };
		delete $place->webhooks->{$id} if $p->{remove};
		return { id => $id };
	}
	die "no webhook \"$id\"\n";
}

# What was sent to webhooks; pending is how many are still to be answered.
sub _deliveries ($app, $p)
{
	my %filter = map { $_ => $p->{$_} } grep { defined $p->{$_} } qw(vendor account webhook event object);

	return { deliveries => $app->webhooks->deliveries($p->{since} // 0, $p->{limit} // 10000, %filter), pending => $app->webhooks->pending };
}

# Tickets in the order of ids, from the one after `after`; next is null at the
# end.  With comments=1 each carries its comments.
sub _state_tickets ($app, $p)
{
	my $account = _account($app, $p);
	my ($after, $limit) = ($p->{after} // 0, $p->{limit} // 10000);
	my @ids = grep { $_ > $after } sort { $a <=> $b } keys %{ $account->tickets };
	my $next = @ids > $limit ? $ids[ $limit - 1 ] : 'null';

	splice @ids, $limit if @ids > $limit;
	my @tickets = map { _with_comments($account, $p, $_) } @ids;
	return \('{"tickets":[' . join(',', @tickets) . "],\"next\":$next}");
}

sub _with_comments ($account, $p, $id)
{
	return $account->ticket_json($id) if !$p->{comments};
	my $ticket = $account->ticket($id);
	return encode_json({ %$ticket, comments => $account->ticket_comments($ticket) });
}

# Tasks in the order of their creation, those of unshared lists too.
sub _state_tasks ($app, $p)
{
	my $workspace = _workspace($app, $p);
	my ($after, $limit) = ($p->{after} // 0, $p->{limit} // 10000);
	my @numbers = grep { $_ > $after } sort { $a <=> $b } keys %{ $workspace->by_number };
	my $next = @numbers > $limit ? $numbers[ $limit - 1 ] : undef;

	splice @numbers, $limit if @numbers > $limit;
	return {
		next => $next,
		tasks => [
			map {
				my $task = $workspace->by_number->{$_};
				+{  %{ $workspace->show($task) },
					$p->{comments} ? (comments => [ map { $workspace->show_comment($_) } @{ $workspace->comments->{ $task->{id} } // [] } ]) : () }
			} @numbers ] };
}

1;
