package Simulator::ClickUp;

# The ClickUp API v2: tokens, limits, workspaces and their hierarchy.  Tasks
# are in Simulator::ClickUp::Tasks, the data in Simulator::ClickUp::Workspace.
#
# The base address is /clickup; which workspaces a request sees depends on its
# token, as at ClickUp.

use Mojo::Base 'Simulator::Vendor', -signatures;
use Simulator::ClickUp::Workspace;
use Simulator::Seed;
use Simulator::Vendor qw(fail);

# This adds to the package's methods.
use Simulator::ClickUp::Tasks;
use Simulator::ClickUp::Webhooks;

has [qw(workspaces tokens)] => sub { {} };
has accept_gzip => 0;
has page_size => 100;
has shows_last_page => 1;

my $UNSHARED = { err => 'Team not authorized', ECODE => 'OAUTH_027' };
my @ENGINEERING = ([ 'to do', 'open' ], [ 'in progress', 'custom', '#5f55ee' ], [ 'in review', 'custom', '#ee5e99' ], [ 'complete', 'closed', '#008844' ]);
my @REQUESTS = ([ 'Open', 'open' ], [ 'planned', 'custom', '#4466ff' ], [ 'shipped', 'done', '#33aa66' ], [ 'Closed', 'closed', '#008844' ]);
my @OPERATIONS = ([ 'backlog', 'open' ], [ 'doing', 'custom', '#f8ae00' ], [ 'done', 'closed', '#008844' ]);

sub name ($self) { return 'clickup' }

sub new ($class, @arguments)
{
	my $self = $class->SUPER::new(@arguments);

	return $self->add_routes(
		'POST api/v2/oauth/token' => 'oauth_token',
		'GET api/v2/user' => 'user',
		'GET api/v2/team' => 'teams',
		'GET api/v2/team/:team_id/custom_item' => 'custom_items',
		'GET api/v2/team/:team_id/space' => 'spaces',
		'GET api/v2/space/:space_id' => 'space',
		'GET api/v2/space/:space_id/folder' => 'folders',
		'GET api/v2/space/:space_id/list' => 'folderless_lists',
		'GET api/v2/space/:space_id/tag' => 'space_tags',
		'GET api/v2/folder/:folder_id' => 'folder',
		'GET api/v2/folder/:folder_id/list' => 'folder_lists',
		'GET api/v2/list/:list_id' => 'list',
		'GET api/v2/list/:list_id/field' => 'list_fields',
		'GET api/v2/list/:list_id/member' => 'list_members',
		$self->webhook_routes,
		$self->task_routes);
}

# Begin anew: workspaces dev and ops with the same plan of lists.
sub reset ($self, $options)
{
	my $seed = $options->{seed} // 1;

	$self->workspaces({});
	$self->accept_gzip($options->{clickup_gzip} ? 1 : 0);
	$self->page_size(100);
	$self->shows_last_page(1);
	$self->tokens({
		'pk_183_DEV' => { user => 183, workspaces => [9001001] },
		'pk_184_OPS' => { user => 184, workspaces => [9001002] },
		'pk_185_BOTH' => { user => 185, workspaces => [ 9001001, 9001002 ] },
	});
	$self->seed(9001001, 'dev', $options->{tasks} // 20, $seed);
	$self->seed(9001002, 'ops', $options->{tasks} // 20, $seed + 1);
}

# Make a workspace, or make it anew, with $count tasks.
sub seed ($self, $id, $name, $count, $seed)
{
	my $random = Simulator::Seed->new($seed * 31 + $id);
	my $workspace = Simulator::ClickUp::Workspace->new(id => "$id", name => $name, clock => $self->clock, files => $self->files);
	my $base = ($id % 1000) * 1000 + 90_100_000_000;

	$workspace->add_member(@$_) for [ 183, 'Dana Developer', 'dana@workspace.example' ], [ 184, 'Erik Engineer', 'erik@workspace.example' ],
	  [ 185, 'Lena Lead', 'lena@workspace.example' ], [ 186, 'Olu Operator', 'olu@workspace.example' ];
	my $engineering = $workspace->add_space($base + 1, 'Engineering');
	my $operations = $workspace->add_space($base + 2, 'Operations');
	my $product = $workspace->add_folder($base + 11, 'Product', $engineering);
	my @fields = $self->_fields($random);
	$workspace->add_list($base + 101, 'Bugs', space => $engineering, folder => $product, statuses => \@ENGINEERING, fields => \@fields);
	$workspace->add_list($base + 102, 'Requests', space => $engineering, folder => $product, statuses => \@REQUESTS, fields => [ @fields[ 0, 1 ], $self->_fields($random) ]);
	$workspace->add_list($base + 103, 'Inbox', space => $operations, statuses => \@OPERATIONS);
	$workspace->add_list($base + 104, 'Management', space => $operations, statuses => \@OPERATIONS, shared => 0);
	$random->clickup($workspace, $count) if $count;
	$workspace->announce(sub ($task, $events) { $self->task_changed($workspace, $task, $events) });
	$self->workspaces->{$id} = $workspace;
	return $workspace;
}

# One custom field of each type.
sub _fields ($self, $random)
{
	my $options = sub (@names) {
		my $n = 0;
		return [ map { { id => $random->uuid, name => $_, label => $_, color => undef, orderindex => $n++ } } @names ];
	};

	return map {
		my ($name, $type, @options) = @$_;
		{   id => $random->uuid, name => $name, type => $type, required => \0,
			type_config => @options ? { options => $options->(@options) } : {} }
	} [ 'External reference', 'text' ], [ 'Effort', 'number' ], [ 'Stage', 'drop_down', 'Triage', 'Accepted', 'Building', 'Released' ],
	  [ 'Promised by', 'date' ], [ 'Areas', 'labels', 'Portal', 'API', 'Billing', 'Mobile' ], [ 'Customer visible', 'checkbox' ];
}

# -------------------------------------------------------- one request's way

# The account of a request is its token's, cut to what a log may show.
sub locate ($self, $q)
{
	my ($bearer, $token) = ($q->{headers}->authorization // '') =~ /^(Bearer\s+)?(\S+)\z/;

	$q->{token} = $token;
	$q->{bearer} = defined $bearer;
	my $known = defined $token ? $self->tokens->{$token} : undef;
	$q->{account} = $known ? join '+', map { $self->workspaces->{$_} ? $self->workspaces->{$_}->name : $_ } @{ $known->{workspaces} } : '';
}

sub dispatch ($self, $q)
{
	my $handler = $q->{handler} or fail(404, { err => 'Route not found', ECODE => 'APP_001' });

	if (($q->{headers}->content_encoding // '') =~ /gzip/i && !$self->accept_gzip)
	{
		$self->bad_json;
	}
	return $self->oauth_token($q) if $handler eq 'oauth_token';
	fail(401, { err => 'Authorization header required', ECODE => 'OAUTH_017' }) if !defined $q->{token};
	my $token = $self->tokens->{ $q->{token} };
	# A personal token goes without "Bearer", an OAuth token with it.
	fail(401, { err => 'Token invalid', ECODE => 'OAUTH_025' }) if !$token || $q->{bearer} != ($token->{oauth} // 0);
	$q->{user} = $token->{user};
	$q->{sees} = { map { $_ => 1 } @{ $token->{workspaces} } };
	$self->_take($q);
	return $self->$handler($q);
}

sub _take ($self, $q)
{
	$self->limits->note('clickup', $q->{account}, 'token');
	my $taken = $self->limits->take('clickup', $q->{account}, 'token', $q->{token}) or return;

	$q->{reply_headers} = {
		'X-RateLimit-Limit' => $taken->{limit},
		'X-RateLimit-Remaining' => $taken->{remaining},
		'X-RateLimit-Reset' => int($self->clock->now + $taken->{reset}) + 1,
	};
	fail(429, { err => 'Rate limit reached', ECODE => 'APP_002' }) if $taken->{refused};
}

sub bad_json ($self)
{
	fail(400, { err => 'Unable to parse the request body', ECODE => 'INPUT_001' });
}

# The object that a path names, with its workspace, if the token sees it.
sub the_workspace ($self, $q)
{
	my $id = $q->{p}{team_id};

	fail(401, $UNSHARED) if !$q->{sees}{$id} || !$self->workspaces->{$id};
	return $self->workspaces->{$id};
}

sub the_list ($self, $q)
{
	my $id = $q->{p}{list_id};

	fail(400, { err => 'validateListIDEx List ID invalid', ECODE => 'INPUT_003' }) if $id !~ /^\d{1,18}\z/;
	my ($workspace, $list) = $self->_place($q, 'lists', $id);
	fail(404, { err => 'List not found', ECODE => 'ITEM_015' }) if !$list;
	fail(401, $UNSHARED) if !$list->{shared};
	return ($workspace, $list);
}

sub the_task ($self, $q)
{
	my $id = $q->{p}{task_id};

	return $self->_by_custom_id($q, $id) if ($q->{params}->param('custom_task_ids') // '') eq 'true';
	fail(400, { err => 'Task ID invalid', ECODE => 'INPUT_004' }) if $id !~ /^[0-9a-z]{3,20}\z/;
	if ($self->_gone($id))
	{
		fail(404, { err => 'Task not found, deleted', ECODE => 'ITEM_013' });
	}
	my ($workspace, $task) = $self->_place($q, 'tasks', $id);
	fail(404, { err => 'Task not found', ECODE => 'ITEM_013' }) if !$task;
	fail(401, $UNSHARED) if !$task->{list}{shared};
	return ($workspace, $task);
}

sub _by_custom_id ($self, $q, $id)
{
	my $team = $q->{params}->param('team_id') // fail(400, { err => 'Team id required', ECODE => 'INPUT_002' });
	my $workspace = $q->{sees}{$team} ? $self->workspaces->{$team} : fail(401, $UNSHARED);
	my ($task) = grep { ($_->{custom_id} // '') eq $id } values %{ $workspace->tasks };

	fail(404, { err => 'Task not found', ECODE => 'ITEM_013' }) if !$task;
	fail(401, $UNSHARED) if !$task->{list}{shared};
	return ($workspace, $task);
}

sub _gone ($self, $id)
{
	return grep { $_->gone->{$id} } values %{ $self->workspaces };
}

# (workspace, object) for a kind and id; dies if the token may not see it.
sub _place ($self, $q, $kind, $id)
{
	for my $workspace (values %{ $self->workspaces })
	{
		my $object = $workspace->$kind->{$id} or next;
		fail(401, $UNSHARED) if !$q->{sees}{ $workspace->id };
		return ($workspace, $object);
	}
	return;
}

sub wrote ($self, $q, $operation, $object, $status, %more)
{
	$self->ledger->write(
		vendor => 'clickup',
		account => $q->{account},
		operation => $operation,
		object => $object,
		status => $status,
		request => $q,
		%more);
}

# --------------------------------------------------------- OAuth, hierarchy

# Code "code-NAME" gives a token for the workspace of that name.
sub oauth_token ($self, $q)
{
	my $body = $self->body($q);
	my %given = ref $body eq 'HASH' ? %$body : map { $_ => $q->{params}->param($_) } qw(client_id client_secret code);

	fail(401, { err => 'Client not found', ECODE => 'OAUTH_010' })
	  if ($given{client_id} // '') ne 'client-clickup' || ($given{client_secret} // '') ne 'secret-clickup';
	my ($workspace) = grep { 'code-' . $_->name eq ($given{code} // '') } values %{ $self->workspaces };
	fail(400, { err => 'Code not found', ECODE => 'OAUTH_014' }) if !$workspace;
	my $token = '183_' . join '', map { sprintf '%04x', int rand 65536 } 1 .. 16;
	$self->tokens->{$token} = { user => 183, workspaces => [ $workspace->id ], oauth => 1 };
	return (200, { access_token => $token, token_type => 'Bearer' });
}

sub user ($self, $q)
{
	my ($id) = keys %{ $q->{sees} };

	return (200, { user => $self->workspaces->{$id}->members->{ $q->{user} } });
}

sub teams ($self, $q)
{
	my @seen = map { $self->workspaces->{$_} // () } sort keys %{ $q->{sees} };

	return (
		200,
		{   teams => [
				map {
					my $workspace = $_;
					{   id => $workspace->id, name => $workspace->name, color => '#40bc86', avatar => undef,
						members => [ map { { user => { %{ $workspace->members->{$_} }, role => 3 } } } @{ $workspace->member_ids } ] }
				} @seen ] });
}

sub custom_items ($self, $q)
{
	return (200, { custom_items => $self->the_workspace($q)->custom_items });
}

sub spaces ($self, $q)
{
	my $workspace = $self->the_workspace($q);

	return (200, { spaces => [ map { $workspace->show_space($workspace->spaces->{$_}) } sort keys %{ $workspace->spaces } ] });
}

sub _the ($self, $q, $kind, $name)
{
	my $id = $q->{p}{"${name}_id"};
	my ($workspace, $object) = $self->_place($q, $kind, $id);

	fail(404, { err => ucfirst($name) . ' not found', ECODE => 'ITEM_015' }) if !$object;
	return ($workspace, $object);
}

sub space ($self, $q)
{
	my ($workspace, $space) = $self->_the($q, 'spaces', 'space');

	return (200, $workspace->show_space($space));
}

sub folders ($self, $q)
{
	my ($workspace, $space) = $self->_the($q, 'spaces', 'space');
	my @folders = grep { $_->{space} == $space } map { $workspace->folders->{$_} } sort keys %{ $workspace->folders };

	return (200, { folders => [ map { $workspace->show_folder($_) } @folders ] });
}

sub folderless_lists ($self, $q)
{
	my ($workspace, $space) = $self->_the($q, 'spaces', 'space');

	return (200, { lists => [ map { $workspace->show_list($_) } grep { !$_->{folder} } $workspace->lists_in(space => $space) ] });
}

sub space_tags ($self, $q)
{
	my ($workspace, $space) = $self->_the($q, 'spaces', 'space');

	return (200, { tags => [ map { { name => $_, tag_fg => '#ffffff', tag_bg => '#4f46e5' } } sort keys %{ $space->{tags} } ] });
}

sub folder ($self, $q)
{
	my ($workspace, $folder) = $self->_the($q, 'folders', 'folder');

	return (200, $workspace->show_folder($folder));
}

sub folder_lists ($self, $q)
{
	my ($workspace, $folder) = $self->_the($q, 'folders', 'folder');

	return (200, { lists => [ map { $workspace->show_list($_) } $workspace->lists_in(folder => $folder) ] });
}

sub list ($self, $q)
{
	my ($workspace, $list) = $self->the_list($q);

	return (200, $workspace->show_list($list));
}

sub list_fields ($self, $q)
{
	my ($workspace, $list) = $self->the_list($q);

	return (200, { fields => [ map { { %$_, date_created => '1700000000000', hide_from_guests => \0 } } @{ $list->{fields} } ] });
}

sub list_members ($self, $q)
{
	my ($workspace) = $self->the_list($q);

	my %profile = map { $_ => undef } qw(display_profile verified_ambassador verified_consultant top_tier_user viewed_verified_ambassador viewed_verified_consultant viewed_top_tier_user);

	return (200, { members => [ map { { %{ $workspace->members->{$_} }, profileInfo => \%profile } } @{ $workspace->member_ids } ] });
}

1;
