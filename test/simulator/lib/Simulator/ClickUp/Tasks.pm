package Simulator::ClickUp::Tasks;

# ClickUp's task endpoints and the checks of what they accept.
#
# The subs become methods of Simulator::ClickUp.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);
use Mojo::JSON qw(false true);
use Mojo::Util qw(decode);
use Simulator::Order;
use Simulator::Vendor qw(fail is_bool is_int is_number is_string truthy);

our @EXPORT = qw(task_routes list_tasks team_tasks task task_create task_update task_move task_delete field_set field_clear
  tag_add tag_remove comments tracked_time attachment_create comment_create replies reply_create comment_update comment_delete);

my $COMMENTS = 25;
my $UUID = qr/\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/;
my %ORDERS = map { $_ => 1 } qw(id created updated due_date);

sub task_routes ($self)
{
	return (
		'GET api/v2/list/:list_id/task' => 'list_tasks',
		'GET api/v2/team/:team_id/task' => 'team_tasks',
		'POST api/v2/list/:list_id/task' => 'task_create',
		'GET api/v2/task/:task_id' => 'task',
		'PUT api/v2/task/:task_id' => 'task_update',
		'PUT api/v3/workspaces/:team_id/tasks/:task_id/home_list/:list_id' => 'task_move',
		'DELETE api/v2/task/:task_id' => 'task_delete',
		'POST api/v2/task/:task_id/field/:field_id' => 'field_set',
		'DELETE api/v2/task/:task_id/field/:field_id' => 'field_clear',
		'POST api/v2/task/:task_id/tag/:tag' => 'tag_add',
		'DELETE api/v2/task/:task_id/tag/:tag' => 'tag_remove',
		'GET api/v2/task/:task_id/comment' => 'comments',
		'POST api/v2/task/:task_id/attachment' => 'attachment_create',
		'GET api/v2/task/:task_id/time' => 'tracked_time',
		'POST api/v2/task/:task_id/comment' => 'comment_create',
		'GET api/v2/comment/:comment_id/reply' => 'replies',
		'POST api/v2/comment/:comment_id/reply' => 'reply_create',
		'PUT api/v2/comment/:comment_id' => 'comment_update',
		'DELETE api/v2/comment/:comment_id' => 'comment_delete');
}

# ---------------------------------------------------------------- listings

sub list_tasks ($self, $q)
{
	my ($workspace, $list) = $self->the_list($q);

	# Tasks whose home is another list are shown to who asks for them.
	return _listing($self, $q, $workspace, $workspace, sub ($task) { _is_in($task, $list) }) if truthy($q->{params}->param('include_timl'));
	return _listing($self, $q, $workspace, $list, undef);
}

sub _is_in ($task, $list)
{
	return $task->{list} == $list || grep { $_ eq $list->{id} } @{ $task->{locations} // [] };
}

sub team_tasks ($self, $q)
{
	my $workspace = $self->the_workspace($q);
	my %wanted = map { $_ => _set($q, $_) } qw(list_ids space_ids project_ids);

	return _listing($self, $q, $workspace, $workspace, sub ($task) {
		my $list = $task->{list};
		return 0 if !$list->{shared};
		return 0 if $wanted{list_ids} && !$wanted{list_ids}{ $list->{id} };
		return 0 if $wanted{space_ids} && !$wanted{space_ids}{ $list->{space}{id} };
		return 0 if $wanted{project_ids} && !($list->{folder} && $wanted{project_ids}{ $list->{folder}{id} });
		return 1;
	});
}

# One page of the tasks of $place (a list or the workspace).
sub _listing ($self, $q, $workspace, $place, $in_list)
{
	my $params = $q->{params};
	my $number = $params->param('page') // 0;
	my $order = $params->param('order_by') // 'created';

	fail(400, { err => 'Page number is invalid', ECODE => 'INPUT_000' }) if $number !~ /^\d{1,9}\z/;
	fail(400, { err => 'Order by field is invalid', ECODE => 'INPUT_000' }) if !$ORDERS{$order};
	return (200, { tasks => [], last_page => false }) if $q->{empty_page};

	my $by_number = $workspace->by_number;
	my $filter = _filter($q, $in_list);
	my $accept = sub ($n) { $filter->($by_number->{$n}) };
	my $reverse = truthy($params->param('reverse'));
	my @tasks;
	my $size = $self->page_size;
	if ($order eq 'created' || $order eq 'updated')
	{
		my ($gt, $lt) = map { $params->param("date_${order}_$_") } qw(gt lt);
		# Entries sort by (time, number): after every number of gt, before any of lt.
		my $after = defined $gt && $gt =~ /^\d{1,15}\z/ ? Simulator::Order->key($gt, 999_999_999_999_999) : '';
		my $until = Simulator::Order->key(defined $lt && $lt =~ /^\d{1,15}\z/ ? $lt : 999_999_999_999_999, 0);
		my $method = $reverse ? 'ascending' : 'descending';
		my $index = ref $place eq 'HASH' ? $place->{$order} : $place->$order;
		my $keys = $index->$method($after, $until, $size + 1, $number * $size, $accept);
		@tasks = map { $by_number->{ (Simulator::Order->split_key($_))[1] } } @$keys;
	}
	else
	{
		my $keys = (ref $place eq 'HASH' ? $place->{created} : $place->created)->ascending('', 'z', 1e9, 0, $accept);
		my $key = $order eq 'id' ? 'id' : 'due_date';
		@tasks = map { $by_number->{ (Simulator::Order->split_key($_))[1] } } @$keys;
		@tasks = sort { ($b->{$key} // '') cmp ($a->{$key} // '') || $b->{number} <=> $a->{number} } @tasks;
		@tasks = reverse @tasks if $reverse;
		splice @tasks, 0, $number * $size;
	}
	my $more = @tasks > $size;
	splice @tasks, $size;
	my $markdown = truthy($params->param('include_markdown_description'));
	return (200, { tasks => [ map { $workspace->show($_, markdown => 1) } @tasks ], last_page => $more ? false : true }) if $markdown;
	my $last = $self->shows_last_page ? ',"last_page":' . ($more ? 'false' : 'true') : '';
	return (200, \('{"tasks":[' . join(',', map { $workspace->json($_) } @tasks) . "]$last}"));
}

# The values of a parameter given once or several times, with or without [].
sub _set ($q, $name)
{
	my @values = map { @{ $q->{params}->every_param($_) } } "${name}[]", $name;

	return @values ? { map { $_ => 1 } @values } : undef;
}

# Whether a task belongs to a listing, by the query parameters.
sub _filter ($q, $in_list)
{
	my $params = $q->{params};
	my ($archived, $closed, $subtasks) = map { truthy($params->param($_)) } qw(archived include_closed subtasks);
	my ($statuses, $assignees, $tags) = map { _set($q, $_) } qw(statuses assignees tags);
	my $fields = $params->param('custom_fields');
	my @dates;

	$statuses = { map { lc() => 1 } keys %$statuses } if $statuses;
	for my $date (map { [ $_, $_ ] } qw(due_date), map { [ "date_$_", $_ ] } qw(created updated done))
	{
		my ($gt, $lt) = map { $params->param("$date->[0]_$_") } qw(gt lt);
		push @dates, [ $date->[1], $gt, $lt ] if defined $gt || defined $lt;
	}
	$fields = defined $fields ? eval { Mojo::JSON::decode_json(Mojo::Util::encode('UTF-8', $fields)) } // fail(400, { err => 'Custom fields filter is invalid', ECODE => 'INPUT_000' }) : [];
	return sub ($task) {
		return 0 if ($task->{archived} // 0) != $archived;
		return 0 if !$closed && !$statuses && $task->{status}{type} eq 'closed';
		return 0 if !$subtasks && defined $task->{parent};
		return 0 if $in_list && !$in_list->($task);
		for my $date (@dates)
		{
			my $value = $task->{ $date->[0] } // return 0;
			return 0 if defined $date->[1] && $value <= $date->[1] || defined $date->[2] && $value >= $date->[2];
		}
		return 0 if $statuses && !$statuses->{ lc $task->{status}{status} };
		return 0 if $assignees && !grep { $assignees->{$_} } @{ $task->{assignees} };
		return 0 if $tags && !grep { $tags->{$_} } @{ $task->{tags} };
		for my $wanted (@$fields)
		{
			my $value = $task->{fields}{ $wanted->{field_id} };
			my $operator = $wanted->{operator} // '=';
			return 0 if $operator eq '=' && (!defined $value || "$value" ne ($wanted->{value} // ''));
			return 0 if $operator eq 'IS NULL' && defined $value || $operator eq 'IS NOT NULL' && !defined $value;
		}
		return 1;
	};
}

# ------------------------------------------------------------ single tasks

sub task ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $params = $q->{params};

	return (
		200,
		$workspace->show(
			$task,
			markdown => truthy($params->param('include_markdown_description')),
			subtasks => truthy($params->param('include_subtasks')),
			attachments => 1));
}

sub task_create ($self, $q)
{
	my ($workspace, $list) = $self->the_list($q);
	my $body = _object($self, $q);

	fail(400, { err => 'Task name invalid', ECODE => 'INPUT_005' }) if !is_string($body->{name}) || $body->{name} eq '';
	my $changes = _check($self, $workspace, $list, $body, 1);
	$changes->{assignees} = _members($workspace, $body->{assignees}) if defined $body->{assignees};
	if (defined $body->{tags})
	{
		_invalid('Tags') if ref $body->{tags} ne 'ARRAY' || grep { !is_string($_) } @{ $body->{tags} };
		my %seen;
		$changes->{tags} = [ grep { !$seen{$_}++ } map { lc } @{ $body->{tags} } ];
	}
	my $parent = $changes->{parent};
	my %fields;
	if (defined $body->{custom_fields})
	{
		_invalid('Custom fields') if ref $body->{custom_fields} ne 'ARRAY' || grep { ref $_ ne 'HASH' } @{ $body->{custom_fields} };
		$fields{ $_->{id} // '' } = _field_value($workspace, $list, $_->{id} // '', $_->{value}) for @{ $body->{custom_fields} };
	}
	delete $changes->{parent};
	my $task = $workspace->insert(%$changes, list => $list, fields => \%fields, creator => $q->{user});
	$workspace->set_parent($task, $parent) if $parent;
	$self->wrote($q, 'create', $task->{id}, 200, texts => [ $task->{description}, $task->{name} ]);
	return (200, $workspace->show($task));
}

# PUT: custom_fields and tags have no effect here, as at ClickUp.
sub task_update ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $body = _object($self, $q);
	my $changes = _check($self, $workspace, $task->{list}, $body, 0);
	my $changed = 0;

	if (defined $body->{assignees})
	{
		_invalid('Assignees') if ref $body->{assignees} ne 'HASH';
		my %assigned = map { $_ => 1 } @{ $task->{assignees} };
		$assigned{$_} = 1 for @{ _members($workspace, $body->{assignees}{add} // []) };
		delete $assigned{$_} for @{ _members($workspace, $body->{assignees}{rem} // []) };
		$changes->{assignees} = [ sort { $a <=> $b } map { 0 + $_ } keys %assigned ];
	}
	if (defined $body->{watchers})
	{
		_invalid('Watchers') if ref $body->{watchers} ne 'HASH';
		my %watching = map { $_ => 1 } @{ $task->{watchers} // [ $task->{creator} ] };
		$watching{$_} = 1 for @{ _members($workspace, $body->{watchers}{add} // []) };
		delete $watching{$_} for @{ _members($workspace, $body->{watchers}{rem} // []) };
		$changes->{watchers} = [ sort { $a <=> $b } map { 0 + $_ } keys %watching ];
	}
	if (my $parent = delete $changes->{parent})
	{
		$workspace->set_parent($task, $parent);
		$changed = 1;
	}
	if (my $status = delete $changes->{status})
	{
		$changed = 1 if $status != $task->{status};
		$workspace->set_status($task, $status);
	}
	for my $name (sort keys %$changes)
	{
		my ($old, $new) = map { ref $_ ? join ',', @$_ : $_ } $task->{$name}, $changes->{$name};
		next if ($old // "\0") eq ($new // "\0");
		$task->{$name} = $changes->{$name};
		$changed = 1;
	}
	$workspace->stamp($task) if $changed;
	$self->wrote($q, 'update', $task->{id}, 200, changed => $changed);
	return (200, $workspace->show($task));
}

# Version 3.  A task that moves takes its subtasks along, and leaves the values of
# fields that the new list does not have.
sub task_move ($self, $q)
{
	my $body = _object($self, $q);
	my $workspace = $self->the_workspace($q);
	my $refuse = sub ($status, $text) {
		fail($status, { status => $status, message => $text, trace_id => 1, timestamp => $self->clock->ms });
	};
	my $task = $workspace->tasks->{ $q->{p}{task_id} } // $refuse->(404, 'Task not found');
	my $list = $workspace->lists->{ $q->{p}{list_id} };
	$refuse->(404, 'List not found') if !$list || !$list->{shared};
	my %mapped = map { $_->{source_status_id} => $_->{destination_status_id} } @{ $body->{status_mappings} // [] };
	my $status = $workspace->status_named($list, $task->{status}{status});
	if (defined(my $id = $mapped{ $task->{status}{id} }))
	{
		($status) = grep { $_->{id} eq $id } @{ $list->{statuses} } or $refuse->(400, 'Destination status does not exist in the new List');
	}
	$refuse->(400, 'Status mapping is required: the status is not available in the new List') if !$status;
	$workspace->move_task($task, $list, $status);
	$self->wrote($q, 'move', $task->{id}, 200, list => $list->{id});
	return (200, { data => { task_id => $task->{id}, new_list_id => $list->{id} } });
}

sub task_delete ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);

	$workspace->delete_task($task);
	$self->wrote($q, 'delete', $task->{id}, 204);
	return (204);
}

sub _object ($self, $q)
{
	my $body = $self->body($q);

	$self->bad_json if ref $body ne 'HASH';
	return $body;
}

sub _invalid ($what)
{
	fail(400, { err => "$what invalid", ECODE => 'INPUT_000' });
}

# Check the plain properties of a create or an update and return those given.
sub _check ($self, $workspace, $list, $body, $creating)
{
	my %changes;

	if (exists $body->{name})
	{
		fail(400, { err => 'Task name invalid', ECODE => 'INPUT_005' }) if !is_string($body->{name}) || $body->{name} eq '';
		$changes{name} = $body->{name};
	}
	my $text = $body->{markdown_content} // $body->{markdown_description} // $body->{description};
	if (defined $text)
	{
		_invalid('Description') if !is_string($text);
		# An empty description changes nothing; one space clears it.
		$changes{description} = $text eq ' ' ? '' : $text if $creating || $text ne '';
	}
	if (defined $body->{status})
	{
		_invalid('Status') if !is_string($body->{status});
		$changes{status} = $workspace->status_named($list, $body->{status})
		  // fail(400, $creating ? { err => 'Status not found', ECODE => 'CRTSK_001' } : { err => 'Status does not exist', ECODE => 'ITEM_114' });
	}
	if (exists $body->{priority})
	{
		my $priority = $body->{priority};
		_invalid('Priority') if defined $priority && (!is_int($priority) || $priority < 1 || $priority > 4);
		$changes{priority} = $priority;
	}
	for my $name (grep { exists $body->{$_} } qw(due_date start_date time_estimate points custom_item_id))
	{
		my $value = $body->{$name};
		$value = 0 + $value if is_string($value) && $value =~ /^\d{1,15}\z/;
		_invalid($name) if defined $value && !is_number($value);
		_invalid('Custom item') if $name eq 'custom_item_id' && $value && !grep { $_->{id} == $value } @{ $workspace->custom_items };
		$changes{$name} = $value;
	}
	for my $name (grep { exists $body->{$_} } qw(archived due_date_time start_date_time notify_all check_required_custom_fields))
	{
		_invalid($name) if defined $body->{$name} && !is_bool($body->{$name});
	}
	$changes{archived} = $body->{archived} ? 1 : 0 if exists $body->{archived} && !$creating;
	if (defined $body->{parent})
	{
		my $parent = $workspace->tasks->{ $body->{parent} } // fail(404, { err => 'Task not found', ECODE => 'ITEM_013' });
		fail(400, { err => 'Parent not child of list', ECODE => 'ITEM_137' }) if $parent->{list} != $list;
		$changes{parent} = $parent;
	}
	return \%changes;
}

sub _members ($workspace, $ids)
{
	_invalid('Assignees') if ref $ids ne 'ARRAY' || grep { !is_int($_) } @$ids;
	_invalid('Assignees') if grep { !$workspace->members->{$_} } @$ids;
	return $ids;
}

# ---------------------------------------------- custom fields, tags, comments

sub field_set ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $body = _object($self, $q);
	my $id = $q->{p}{field_id};
	my $value = _field_value($workspace, $task->{list}, $id, $body->{value}, $task->{fields}{$id});

	$task->{fields}{$id} = $value;
	delete $task->{fields}{$id} if !defined $value;
	$task->{shows_time}{$id} = truthy(($body->{value_options} // {})->{time});
	$workspace->stamp($task);
	$self->wrote($q, 'field', $task->{id}, 200, field => $id);
	return (200, {});
}

sub field_clear ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $id = $q->{p}{field_id};

	_the_field($workspace, $task->{list}, $id);
	$workspace->stamp($task) if defined delete $task->{fields}{$id};
	$self->wrote($q, 'field', $task->{id}, 200, field => $id);
	return (200, {});
}

sub _the_field ($workspace, $list, $id)
{
	fail(400, { err => 'Field must be a valid UUID', ECODE => 'FIELD_002' }) if $id !~ $UUID;
	return $workspace->field($list, $id)
	  // fail(400, { err => 'Custom field does not exist in the task location hierarchy', ECODE => 'FIELD_115' });
}

# The stored form of a custom field's value, checked by the field's type.
sub _field_value ($workspace, $list, $id, $value, $old = undef)
{
	my $field = _the_field($workspace, $list, $id);
	my $type = $field->{type};
	my $wrong = sub ($text, $code = 'FIELD_010') { fail($code eq 'FIELD_017' ? 500 : 400, { err => $text, ECODE => $code }) };

	return undef if !defined $value;
	if ($type eq 'drop_down')
	{
		my ($option) = grep { is_int($value) ? $_->{orderindex} == $value : !ref $value && $_->{id} eq $value } @{ $field->{type_config}{options} };
		return $option ? $option->{id} : $wrong->('Value must be an option index or uuid', 'FIELD_011');
	}
	if ($type eq 'labels')
	{
		my %options = map { $_->{id} => 1 } @{ $field->{type_config}{options} };
		$wrong->('Value must be an array of label ids') if ref $value ne 'ARRAY' || grep { !$options{$_} } @$value;
		return $value;
	}
	if ($type eq 'number')
	{
		$wrong->('Value is not a valid number') if ref $value || $value !~ /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?\z/i;
		return $value;
	}
	if ($type eq 'date')
	{
		$wrong->('Value is not a valid date', 'FIELD_017') if ref $value || $value !~ /^-?\d{1,15}\z/;
		return $value;
	}
	if ($type eq 'checkbox')
	{
		$wrong->('Value must be a boolean') if !is_bool($value) && (ref $value || $value !~ /^(?:true|false)\z/);
		return truthy($value);
	}
	if ($type eq 'manual_progress')
	{
		my ($start, $end) = @{ $field->{type_config} }{qw(start end)};
		my $current = ref $value eq 'HASH' ? $value->{current} : undef;
		$wrong->('Value must be an object with current') if !defined $current || !is_number($current) || keys %$value != 1;
		$wrong->('Value is out of range') if $current < $start || $current > $end;
		return { current => "$current", percent_complete => 100 * ($current - $start) / ($end - $start) };
	}
	if ($type eq 'location')
	{
		my $place = ref $value eq 'HASH' ? $value->{location} : undef;
		$wrong->('Location is invalid') if ref $place ne 'HASH' || grep { !is_number($place->{$_} // '') } qw(lat lng);
		$wrong->('Location has no address') if !is_string($value->{formatted_address});
		return { location => { map { $_ => $place->{$_} } qw(lat lng) }, place_id => 'ChIJs79efm1TkFQRJjrP', formatted_address => $value->{formatted_address} };
	}
	if ($type eq 'users' || $type eq 'tasks' || $type eq 'attachment')
	{
		$wrong->('Value must be an object with add and rem') if ref $value ne 'HASH' || grep { !/^(?:add|rem)\z/ || ref $value->{$_} ne 'ARRAY' } keys %$value;
		my %set = map { $_ => 1 } @{ $value->{add} // [] };
		$wrong->('Unknown member') if $type eq 'users' && grep { !$workspace->members->{$_} } keys %set;
		$wrong->('Unknown task') if $type eq 'tasks' && grep { !$workspace->tasks->{$_} } keys %set;
		%set = (%set, map { $_ => 1 } @{ $old // [] });
		delete $set{$_} for @{ $value->{rem} // [] };
		return %set ? [ sort keys %set ] : undef;
	}
	if ($type eq 'currency' || $type eq 'emoji')
	{
		$wrong->('Value is not a valid number') if !is_number($value) || $type eq 'emoji' && ($value < 0 || $value > ($field->{type_config}{count} // 5));
		return $value;
	}
	$wrong->('Value must be a string') if !is_string($value);
	return $value;
}

sub tag_add ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $tag = lc $q->{p}{tag};

	if (!grep { $_ eq $tag } @{ $task->{tags} })
	{
		$task->{tags} = [ @{ $task->{tags} }, $tag ];
		$task->{list}{space}{tags}{$tag} = 1;
		$workspace->stamp($task);
	}
	$self->wrote($q, 'tag', $task->{id}, 200, tag => $tag);
	return (200, {});
}

sub tag_remove ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $tag = lc $q->{p}{tag};
	my @rest = grep { $_ ne $tag } @{ $task->{tags} };

	$workspace->stamp($task) if @rest < @{ $task->{tags} };
	$task->{tags} = \@rest;
	$self->wrote($q, 'tag', $task->{id}, 200, tag => $tag);
	return (200, {});
}

# Newest first, 25 at a time; start and start_id name the last one seen.
sub comments ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my @comments = reverse @{ $workspace->comments->{ $task->{id} } // [] };
	my ($start, $id) = map { $q->{params}->param($_) } qw(start start_id);

	if (defined $start && defined $id)
	{
		shift @comments while @comments && $comments[0]{id} ne $id && $comments[0]{date} >= $start;
		shift @comments if @comments && $comments[0]{id} eq $id;
	}
	splice @comments, $COMMENTS if @comments > $COMMENTS;
	return (200, { comments => [ map { $workspace->show_comment($_) } @comments ] });
}

sub tracked_time ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);

	return (200, { data => $workspace->show_time($task) });
}

# The file of a form's field "attachment".
sub attachment_create ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my ($given) = grep { $_->name =~ /^attachment(?:\[\d*\])?\z/ } @{ $q->{uploads} };

	fail(400, { err => 'File not found', ECODE => 'UPLOAD_002' }) if !$given;
	my $title = decode('UTF-8', $given->filename) // $given->filename;
	my $extension = $title =~ /\.([^.]+)\z/ ? $1 : '';
	my $file = {
		id => sprintf('%08x-8b1c-4571-951b-%012x.%s', $workspace->id, ++$workspace->{files_made}, $extension), title => $title, size => $given->size,
		mimetype => $given->headers->content_type // 'application/octet-stream', date => 0 + $self->clock->ms };
	$self->files->receive($file->{id}, $given->slurp, vendor => 'clickup', name => $title, type => $file->{mimetype}, parent => $task->{id});
	push @{ $task->{files} }, $file;
	$self->wrote($q, 'attachment', $task->{id}, 200, file => $file->{id});
	my $shown = $workspace->show_file($task, $file);
	return (200, { (map { $_ => $shown->{$_} } qw(id title extension thumbnail_small thumbnail_large url)), version => '0', date => $self->clock->ms });
}

# The text of a request, and its blocks: either is given.
sub _comment_text ($body)
{
	my $blocks = $body->{comment};

	fail(400, { err => 'Comment text invalid', ECODE => 'INPUT_000' })
	  if defined $blocks ? ref $blocks ne 'ARRAY' || exists $body->{comment_text} || grep({ ref ne 'HASH' || !is_string($_->{text}) } @$blocks)
	  : !is_string($body->{comment_text}) || $body->{comment_text} eq '';
	return $blocks ? (join('', map { $_->{text} } @$blocks), $blocks) : ($body->{comment_text});
}

sub comment_create ($self, $q)
{
	my ($workspace, $task) = $self->the_task($q);
	my $body = _object($self, $q);
	my ($text, $blocks) = _comment_text($body);

	my $comment = $workspace->add_comment($task, $text, $q->{user});
	$comment->{blocks} = $blocks;
	$workspace->stamp($task);
	$self->wrote($q, 'comment', $task->{id}, 200, comment => "$comment->{id}");
	return (200, { id => "$comment->{id}", hist_id => "h$comment->{id}", date => $comment->{date} });
}

# (workspace, task, comment) of a comment that this token sees.
sub _comment ($self, $q)
{
	for my $team (sort keys %{ $q->{sees} })
	{
		my $workspace = $self->workspaces->{$team} // next;
		my ($task, $comment) = $workspace->the_comment($q->{p}{comment_id});
		return ($workspace, $task, $comment) if $comment && $task->{list}{shared};
	}
	return fail(404, { err => 'Comment not found', ECODE => 'ITEM_013' });
}

sub replies ($self, $q)
{
	my ($workspace, undef, $comment) = _comment($self, $q);

	return (200, { comments => [ map { $workspace->show_comment($_) } @{ $comment->{replies} // [] } ] });
}

# The answer does not tell the id.
sub reply_create ($self, $q)
{
	my ($workspace, $task, $comment) = _comment($self, $q);
	my ($text, $blocks) = _comment_text(_object($self, $q));

	my $reply = $workspace->add_reply($comment->{id}, $text, $q->{user});
	$reply->{blocks} = $blocks;
	$workspace->stamp($task);
	$self->wrote($q, 'reply', $task->{id}, 200, comment => "$reply->{id}");
	return (200, {});
}

sub comment_update ($self, $q)
{
	my ($workspace, $task, $comment) = _comment($self, $q);
	my $body = _object($self, $q);

	fail(400, { err => 'Assignee and resolved are required', ECODE => 'INPUT_001' }) if grep { !exists $body->{$_} } qw(assignee resolved);
	@$comment{qw(text blocks)} = _comment_text($body);
	@$comment{qw(assignee resolved)} = @$body{qw(assignee resolved)};
	$workspace->stamp($task);
	$self->wrote($q, 'comment_update', $task->{id}, 200, comment => "$comment->{id}");
	return (200, {});
}

sub comment_delete ($self, $q)
{
	my ($workspace, $task, $comment) = _comment($self, $q);

	$workspace->remove_comment($comment->{id});
	$workspace->stamp($task);
	$self->wrote($q, 'comment_delete', $task->{id}, 200, comment => "$comment->{id}");
	return (200, {});
}

1;
