package Simulator::ClickUp::Workspace;

# The data of one ClickUp workspace ("team" in its API): spaces, folders,
# lists with statuses and custom fields, members, tasks, comments.
#
# A task is a small hash; show() makes the JSON object of it, so that renaming
# a status or a field is seen in every task at once, as at ClickUp.  Four
# orders (a list's and the workspace's, by creation and by update) serve the
# listings.

use Mojo::Base -base, -signatures;
use List::Util qw(sum0);
use Mojo::JSON qw(encode_json false true);
use Simulator::Order;

has [qw(id name clock)];
has files => undef;    # the content of files, see Simulator::Files
has announce => undef;    # called with a task and what happened to it
has [qw(spaces folders lists members tasks by_number comments gone webhooks)] => sub { {} };
has [qw(member_ids)] => sub { [] };
has custom_items => sub { [ { id => 1, name => 'Milestone', name_plural => 'Milestones', description => undef }, { id => 1300, name => 'Bug', name_plural => 'Bugs', description => undef } ] };
has [qw(created updated)] => sub { Simulator::Order->new };

my %PRIORITIES = (
	1 => [ urgent => '#f50000' ],
	2 => [ high => '#ffcc00' ],
	3 => [ normal => '#6fddff' ],
	4 => [ low => '#d8d8d8' ]);
my @DIGITS = (0 .. 9, 'a' .. 'z');

sub add_member ($self, $id, $username, $email)
{
	$self->members->{$id} = { id => $id, username => $username, email => $email, color => '#7b68ee', initials => uc(join '', $username =~ /\b(\w)/g), profilePicture => undef };
	push @{ $self->member_ids }, $id;
}

sub add_space ($self, $id, $name)
{
	return $self->spaces->{$id} = { id => "$id", name => $name, tags => {} };
}

sub add_folder ($self, $id, $name, $space)
{
	return $self->folders->{$id} = { id => "$id", name => $name, space => $space };
}

# statuses: [name, type, color]; fields: {name, type, options}.  A list that
# is not shared is there for the workspace, but not for its tokens.
sub add_list ($self, $id, $name, %list)
{
	my $n = 0;

	return $self->lists->{$id} = {
		id => "$id",
		name => $name,
		n => scalar keys %{ $self->lists },
		space => $list{space},
		folder => $list{folder},
		shared => $list{shared} // 1,
		created => Simulator::Order->new,
		updated => Simulator::Order->new,
		statuses => [ map { $self->new_status($id, $n++, @$_) } @{ $list{statuses} } ],
		fields => $list{fields} // [],
	};
}

sub new_status ($self, $list, $index, $name, $type, $color = '#87909e')
{
	return { id => "sc${list}_" . ++$self->{statuses_made}, status => $name, orderindex => $index, color => $color, type => $type };
}

sub status_named ($self, $list, $name)
{
	return (grep { lc $_->{status} eq lc $name } @{ $list->{statuses} })[0];
}

sub field ($self, $list, $id)
{
	return (grep { $_->{id} eq $id } @{ $list->{fields} })[0];
}

# A task's id: nine letters and digits that do not betray the order.
sub _task_id ($self, $number)
{
	my $x = ($number * 1_299_709 + $self->id % 1000 * 48_611) % 2_176_782_336;
	my $id = '';

	for (1 .. 6)
	{
		$id = $DIGITS[ $x % 36 ] . $id;
		$x = int($x / 36);
	}
	return '86' . $DIGITS[ $self->id % 26 + 10 ] . $id;
}

# Insert a task from checked values; status is a status of the list, fields a
# hash of field id => stored value.
sub insert ($self, %t)
{
	my $number = ++$self->{numbers};
	my $now = $self->clock->ms;
	my $list = delete $t{list};
	my $task = {
		number => $number,
		id => $self->_task_id($number),
		list => $list,
		status => $list->{statuses}[0],
		created => $now,
		updated => $t{created} // $now,
		description => '',
		assignees => [],
		tags => [],
		fields => {},
		creator => $self->member_ids->[0],
		%t,
	};

	$task->{closed} = $task->{updated} if $task->{status}{type} eq 'closed';
	$task->{done} = $task->{updated} if $task->{status}{type} =~ /^(?:closed|done)$/;
	$self->tasks->{ $task->{id} } = $task;
	$self->by_number->{$number} = $task;
	$_->set($number, $task->{created}) for $list->{created}, $self->created;
	$_->set($number, $task->{updated}) for $list->{updated}, $self->updated;
	$list->{space}{tags}{$_} = 1 for @{ $task->{tags} };
	$self->_announce($task, [ taskCreated => $self->_item('status') ], [ taskStatusUpdated => $self->_item(status => undef, $task->{status}{status}) ]);
	return $task;
}

# A task changed now.
sub stamp ($self, $task)
{
	my $now = $self->clock->ms;

	# Two changes in one millisecond must still move the task forward.
	$now = $task->{updated} + 1 if $now <= $task->{updated} && $task->{updated} - $now < 1000;
	$task->{updated} = $now;
	delete $task->{json};
	$_->set($task->{number}, $now) for $task->{list}{updated}, $self->updated;
	# an event of its own for what has one, and each of them as taskUpdated, too
	my @happened = @{ delete $task->{happened} // [] };
	$self->_announce($task, @happened, map { [ taskUpdated => $_ ] } @happened ? map { $_->[1] } @happened : $self->_item('content'));
}

# An entry of a task's history.
sub _item ($self, $field, $before = undef, $after = undef, %more)
{
	return { id => '28' . sprintf('%017d', ++$self->{history}), field => $field, user => { id => $self->member_ids->[0] }, before => $before, after => $after, data => {}, %more };
}

# Remember what is happening to a task until it is stamped.
sub _happens ($self, $task, $event, $item)
{
	push @{ $task->{happened} }, [ $event, $item ];
}

sub _announce ($self, $task, @events)
{
	$self->announce->($task, \@events) if $self->announce;
}

sub set_status ($self, $task, $status)
{
	my $type = $status->{type};

	$self->_happens($task, taskStatusUpdated => $self->_item('status', { status => $task->{status}{status} }, { status => $status->{status} }))
	  if $task->{status} != $status;
	$task->{status} = $status;
	$task->{closed} = $type eq 'closed' ? $task->{closed} // $self->clock->ms : undef;
	$task->{done} = $type =~ /^(?:closed|done)$/ ? $task->{done} // $self->clock->ms : undef;
}

# Delete a task and its subtasks.
sub delete_task ($self, $task)
{
	my $number = $task->{number};

	$self->delete_task($_) for $self->subtasks($task);
	delete $self->tasks->{ $task->{id} };
	delete $self->by_number->{$number};
	delete $self->comments->{ $task->{id} };
	delete $self->{children}{ $task->{parent} }{ $task->{id} } if defined $task->{parent};
	$_->remove($number) for @{ $task->{list} }{qw(created updated)}, $self->created, $self->updated;
	$self->gone->{ $task->{id} } = $task;
	$self->_announce($task, [ taskDeleted => undef ]);
}

sub restore_task ($self, $id)
{
	my $task = delete $self->gone->{$id} or return;

	$self->tasks->{$id} = $task;
	$self->by_number->{ $task->{number} } = $task;
	$_->set($task->{number}, $task->{created}) for $task->{list}{created}, $self->created;
	$_->set($task->{number}, $task->{updated}) for $task->{list}{updated}, $self->updated;
	return $task;
}

sub set_parent ($self, $task, $parent)
{
	delete $self->{children}{ $task->{parent} }{ $task->{id} } if defined $task->{parent};
	delete $task->{json};
	$task->{parent} = $parent->{id};
	$self->{children}{ $parent->{id} }{ $task->{id} } = 1;
}

sub move_task ($self, $task, $list, $status)
{
	my %has = map { $_->{id} => 1 } @{ $list->{fields} };

	$_->remove($task->{number}) for @{ $task->{list} }{qw(created updated)};
	$task->{list} = $list;
	$list->{created}->set($task->{number}, $task->{created});
	$task->{locations} = [ grep { $_ ne $list->{id} } @{ $task->{locations} // [] } ];
	delete @{ $task->{fields} }{ grep { !$has{$_} } keys %{ $task->{fields} } };
	$self->_happens($task, taskMoved => $self->_item('section_moved', undef, { id => $list->{id} }));
	$self->set_status($task, $status);
	$self->stamp($task);
	$self->move_task($_, $list, $self->status_named($list, $_->{status}{status}) // $list->{statuses}[0]) for $self->subtasks($task);
}

sub subtasks ($self, $task)
{
	return sort { $a->{number} <=> $b->{number} } map { $self->tasks->{$_} // () } keys %{ $self->{children}{ $task->{id} } // {} };
}

sub add_comment ($self, $task, $text, $user)
{
	my $comment = {
		id => 90_000_000_000 + ++$self->{comments_made},
		text => $text,
		user => $self->members->{$user},
		date => $self->clock->ms,
	};

	push @{ $self->comments->{ $task->{id} } }, $comment;
	$self->{comment_at}{ $comment->{id} } = [ $task, $comment ];
	$self->_happens($task, taskCommentPosted => $self->_item('comment', undef, "$comment->{id}",
		comment => { id => "$comment->{id}", parent => $task->{id}, comment => [ { text => $text } ], text_content => $text, user => $comment->{user} }));
	return $comment;
}

# (task, comment), also if the comment is a reply.
sub the_comment ($self, $id)
{
	my $at = $self->{comment_at}{$id} or return;
	return $self->tasks->{ $at->[0]{id} } ? @$at : ();
}

# A reply is not among the comments of its task.
sub add_reply ($self, $id, $text, $user)
{
	my ($task, $comment) = $self->the_comment($id) or return;
	my $reply = $self->add_comment($task, $text, $user);

	pop @{ $self->comments->{ $task->{id} } };
	push @{ $comment->{replies} }, $reply;
	$reply->{answers} = $comment;
	return $reply;
}

sub remove_comment ($self, $id)
{
	my ($task, $comment) = $self->the_comment($id) or return 0;
	my $list = $comment->{answers} ? $comment->{answers}{replies} : $self->comments->{ $task->{id} };

	@$list = grep { $_ != $comment } @$list;
	delete $self->{comment_at}{$id};
	return 1;
}

# --------------------------------------------------------- what clients see

sub _string ($value) { return defined $value ? "$value" : undef }

# JSON bytes of a task, kept until it changes: listings are read often.
sub json ($self, $task)
{
	return $task->{json} //= encode_json($self->show($task));
}

# Names or statuses changed: no task's bytes are right any more.
sub forget_json ($self)
{
	delete $_->{json} for values %{ $self->tasks };
}

# The JSON object of a task; %with: description's markdown, subtasks.
sub show ($self, $task, %with)
{
	my $list = $task->{list};
	my $text = $task->{description};
	my $priority = $task->{priority};
	my $folder = $self->_folder_of($list);
	my $number = _string($priority);

	return {
		id => $task->{id},
		custom_id => $task->{custom_id},
		custom_item_id => $task->{custom_item_id} // 0,
		name => $task->{name},
		text_content => $text,
		description => $text,
		$with{markdown} ? (markdown_description => $text) : (),
		status => $task->{status},
		orderindex => sprintf('%d.00000000000000000000000000000000', $task->{number}),
		date_created => "$task->{created}",
		date_updated => "$task->{updated}",
		date_closed => _string($task->{closed}),
		date_done => _string($task->{done}),
		archived => $task->{archived} ? true : false,
		creator => $self->members->{ $task->{creator} },
		assignees => [ map { $self->members->{$_} // () } @{ $task->{assignees} } ],
		group_assignees => [],
		watchers => [ map { $self->members->{$_} // () } @{ $task->{watchers} // [ $task->{creator} ] } ],
		checklists => $task->{checklists} // [],
		tags => [ map { { name => $_, tag_fg => '#ffffff', tag_bg => '#4f46e5', creator => $task->{creator} } } @{ $task->{tags} } ],
		parent => $task->{parent},
		top_level_parent => $task->{parent},
		priority => defined $priority
		? { id => $number, priority => $PRIORITIES{$priority}[0], color => $PRIORITIES{$priority}[1], orderindex => $number }
		: undef,
		due_date => _string($task->{due_date}),
		start_date => _string($task->{start_date}),
		points => $task->{points},
		time_estimate => $task->{time_estimate},
		time_spent => sum0(map { $_->{time} } @{ $task->{time} // [] }),
		custom_fields => [ map { $self->_show_field($_, $task->{fields}{ $_->{id} }) } @{ $list->{fields} } ],
		dependencies => [],
		linked_tasks => [],
		locations => [ map { { id => $_, name => $self->lists->{$_}{name} } } grep { $self->lists->{$_} } @{ $task->{locations} // [] } ],
		team_id => $self->id,
		url => "https://app.clickup.com/t/$task->{id}",
		sharing => { public => false, public_share_expires_on => undef, public_fields => ['assignees'], token => undef, seo_optimized => false },
		permission_level => 'create',
		list => { id => $list->{id}, name => $list->{name}, access => true },
		project => $folder,
		folder => $folder,
		space => { id => $list->{space}{id} },
		$with{attachments} ? (attachments => [ map { $self->show_file($task, $_) } @{ $task->{files} // [] } ]) : (),
		$with{subtasks} ? (subtasks => [ map { $self->show($_) } $self->subtasks($task) ]) : (),
	};
}

# A file of a task: id, title, size, mimetype.
sub show_file ($self, $task, $file)
{
	my $url = $self->files->address($file->{id}, $file->{title}) // "https://t1.p.clickup-attachments.com/t1/$file->{id}/$file->{title}";

	return {
		id => $file->{id}, date => $file->{date} // 0 + $task->{updated}, title => $file->{title}, type => 1, source => 1, version => 0, extension => $file->{title} =~ s/.*\.//r,
		thumbnail_small => '', thumbnail_medium => '', thumbnail_large => '', is_folder => false, mimetype => $file->{mimetype} // 'text/plain', hidden => false,
		parent_id => $task->{id}, size => 0 + ($file->{size} // 12), total_comments => 0, resolved_comments => 0, user => $self->members->{ $task->{creator} },
		deleted => false, orientation => '', url => $url, url_w_query => "$url?view=open", url_w_host => $url,
	};
}

# The time of a task, by user.
sub show_time ($self, $task)
{
	my %by_user;

	push @{ $by_user{ $_->{user} } }, $_ for @{ $task->{time} // [] };
	return [
		map {
			my $user = $_;
			{
				user => $self->members->{$user}, time => sum0(map { $_->{time} } @{ $by_user{$user} }),
				intervals => [ map { { id => "$_->{id}", start => _string($_->{start}), end => _string($_->{end}), time => "$_->{time}", source => 'clickup', date_added => _string($_->{start} // $task->{updated}) } } @{ $by_user{$user} } ]
			}
		} sort keys %by_user ];
}

sub _folder_of ($self, $list)
{
	return $list->{folder}
	  ? { id => $list->{folder}{id}, name => $list->{folder}{name}, hidden => false, access => true }
	  : { id => '8' . $list->{id}, name => 'hidden', hidden => true, access => true };
}

# A custom field in a task: value is absent when unset, a drop-down reads as
# the option's index.
sub _show_field ($self, $field, $value)
{
	my %shown = (%$field, date_created => '1700000000000', hide_from_guests => false);

	return \%shown if !defined $value;
	if ($field->{type} eq 'drop_down')
	{
		my ($option) = grep { $_->{id} eq $value } @{ $field->{type_config}{options} };
		$shown{value} = $option->{orderindex} if $option;
	}
	elsif ($field->{type} eq 'users') { $shown{value} = [ map { $self->members->{$_} } @$value ] }
	elsif ($field->{type} eq 'tasks') { $shown{value} = [ map { { id => $_, name => $self->tasks->{$_}{name} } } grep { $self->tasks->{$_} } @$value ] }
	elsif ($field->{type} eq 'attachment') { $shown{value} = [ map { { id => $_, title => 'file' } } @$value ] }
	elsif ($field->{type} eq 'checkbox') { $shown{value} = $value ? 'true' : 'false' }
	else { $shown{value} = ref $value ? $value : "$value" }
	return \%shown;
}

sub show_list ($self, $list)
{
	return {
		id => $list->{id},
		name => $list->{name},
		orderindex => $list->{n},
		content => '',
		status => undef,
		priority => undef,
		assignee => undef,
		task_count => $list->{created}->size,
		due_date => undef,
		start_date => undef,
		folder => $self->_folder_of($list),
		space => { id => $list->{space}{id}, name => $list->{space}{name}, access => true },
		archived => false,
		override_statuses => true,
		statuses => $list->{statuses},
		permission_level => 'create',
	};
}

sub show_folder ($self, $folder)
{
	return {
		id => $folder->{id},
		name => $folder->{name},
		orderindex => 0,
		override_statuses => false,
		hidden => false,
		space => { id => $folder->{space}{id}, name => $folder->{space}{name}, access => true },
		task_count => '' . $self->_count_in($folder),
		archived => false,
		statuses => [],
		lists => [ map { $self->show_list($_) } $self->lists_in(folder => $folder) ],
		permission_level => 'create',
	};
}

sub _count_in ($self, $folder)
{
	my $count = 0;

	$count += $_->{created}->size for $self->lists_in(folder => $folder);
	return $count;
}

sub show_space ($self, $space)
{
	my ($list) = $self->lists_in(space => $space);

	return {
		id => $space->{id},
		name => $space->{name},
		private => false,
		color => undef,
		avatar => undef,
		admin_can_manage => true,
		archived => false,
		multiple_assignees => true,
		statuses => $list ? $list->{statuses} : [],
		features => {
			due_dates => { enabled => true, start_date => true, remap_due_dates => false, remap_closed_due_date => false },
			map { $_ => { enabled => true } }
			  qw(time_tracking tags time_estimates checklists custom_fields remap_dependencies dependency_warning portfolios)
		},
	};
}

# The shared lists of a space (in folders or not) or of a folder.
sub lists_in ($self, $kind, $place)
{
	return sort { $a->{n} <=> $b->{n} } grep { $_->{shared} && $_->{$kind} && $_->{$kind} == $place } values %{ $self->lists };
}

sub show_comment ($self, $comment)
{
	return {
		id => "$comment->{id}",
		comment => $comment->{blocks} // [ { text => $comment->{text} } ],
		comment_text => $comment->{text},
		user => $comment->{user},
		resolved => $comment->{resolved} ? true : false,
		assignee => defined $comment->{assignee} ? $self->members->{ $comment->{assignee} } : undef,
		assigned_by => undef,
		reactions => [],
		date => "$comment->{date}",
		reply_count => scalar @{ $comment->{replies} // [] } . '',
	};
}

1;
