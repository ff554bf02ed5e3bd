package Simulator::Zendesk;

# The Zendesk Support API: accounts, authentication, limits, exports, users
# and the small lists.  Tickets are in Simulator::Zendesk::Tickets, files in
# Simulator::Zendesk::Files, search in Simulator::Zendesk::Search, jobs in
# Simulator::Zendesk::Jobs, the data in Simulator::Zendesk::Account.
#
# The base address of an account is /zendesk/SUBDOMAIN.

use Mojo::Base 'Simulator::Vendor', -signatures;
use Mojo::JSON qw(encode_json false true);
use Mojo::Util qw(b64_decode b64_encode);
use Simulator::Order;
use Simulator::Seed;
use Simulator::Vendor qw(fail is_int is_string truthy);
use Simulator::Zendesk::Account;

# These add to this package's methods.
use Simulator::Zendesk::Files;
use Simulator::Zendesk::Jobs;
use Simulator::Zendesk::Search;
use Simulator::Zendesk::Tickets;
use Simulator::Zendesk::Webhooks;

has accounts => sub { {} };
has start_time_age => 60;    # seconds that start_time must lie back

my $TOKENS = 256;    # live OAuth tokens kept
my @AGENTS = (
	[ 'Priya Admin', 'admin@%s.example', 'admin' ],
	[ 'Robin Agent', 'agent@%s.example', 'agent' ],
	[ 'Dana Developer', 'dana@workspace.example', 'agent' ],
	[ 'Erik Engineer', 'erik@workspace.example', 'agent' ],
	[ 'Lena Lead', 'lena@workspace.example', 'admin' ],
	[ 'Sam Support', 'sam@%s.example', 'agent' ]);
my %RESOURCES = map { $_ => 1 } qw(tickets users organizations auditlogs hc apps triggers automations targets
  webhooks macros requests satisfaction_ratings dynamic_content any_channel web_widget zis);

sub name ($self) { return 'zendesk' }

sub new ($class, @arguments)
{
	my $self = $class->SUPER::new(@arguments);

	return $self->add_routes(
		'POST oauth/tokens' => 'oauth_token',
		'GET api/v2/incremental/tickets/cursor' => 'export_tickets',
		'GET api/v2/incremental/users/cursor' => 'export_users',
		'GET api/v2/incremental/ticket_events' => 'export_ticket_events',
		'GET api/v2/incremental/organizations' => 'export_organizations',
		'GET api/v2/users/me' => 'me',
		'GET api/v2/users/show_many' => 'users_show_many',
		'GET api/v2/users/search' => 'users_search',
		'GET api/v2/users/:id' => 'user',
		'GET api/v2/users' => 'users',
		'POST api/v2/users/create_or_update' => 'user_create_or_update',
		(map { ("GET api/v2/$_" => $_) } qw(groups brands ticket_forms suspended_tickets)),
		'GET api/v2/tickets/:id/audits' => 'ticket_audits',
		'GET api/v2/organizations' => 'organizations',
		'GET api/v2/organizations/show_many' => 'organizations_show_many',
		'GET api/v2/organizations/:id' => 'organization',
		'POST api/v2/organizations/create_or_update' => 'organization_create_or_update',
		'GET api/v2/ticket_fields' => 'ticket_fields',
		'GET api/v2/ticket_fields/:id' => 'ticket_field',
		'GET api/v2/custom_statuses' => 'custom_statuses',
		$self->ticket_routes,
		$self->file_routes,
		$self->search_routes,
		$self->webhook_routes,
		$self->job_routes);
}

# Begin anew: account acme with tickets, account globex with a tenth of them.
sub reset ($self, $options)
{
	my $count = $options->{tickets} // 0;

	$self->accounts({});
	$self->start_time_age(60);
	$self->seed('acme', $count, $options->{seed} // 1, $options->{nasty});
	$self->seed('globex', int($count / 10), 1 + ($options->{seed} // 1), 0);
}

# Make an account, or make it anew, with $count tickets.
sub seed ($self, $subdomain, $count, $seed, $nasty)
{
	my $account = Simulator::Zendesk::Account->new(subdomain => $subdomain, clock => $self->clock, files => $self->files);

	$account->found([ map { { name => $_->[0], email => $_->[1] =~ s/%s/$subdomain/r, role => $_->[2], verified => true } } @AGENTS ]);
	Simulator::Seed->new($seed)->zendesk($account, $count, $nasty);
	$account->announce(sub ($ticket, $changes) { $self->ticket_changed($account, $ticket, $changes) });
	$self->accounts->{$subdomain} = $account;
	return $account;
}

# -------------------------------------------------------- one request's way

# Which account a request is for, before anything is looked at.
sub locate ($self, $q)
{
	my ($subdomain, $rest) = split m{/}, $q->{relative}, 2;

	$q->{account} = $subdomain;
	$q->{relative} = ($rest // '') =~ s/\.json\z//r;
}

# The address that was called, which links in replies name.
sub address ($self, $q)
{
	return $q->{base}->scheme . '://' . $q->{base}->host_port . "/zendesk/$q->{account}";
}

sub dispatch ($self, $q)
{
	my $account = $q->{a} = $self->accounts->{ $q->{account} // '' }
	  or fail(404, '<html><body><h1>No help desk at this address</h1></body></html>', { 'Content-Type' => 'text/html' });
	my $handler = $q->{handler}
	  or fail(404, { error => 'InvalidEndpoint', description => 'Not found' });

	# nothing says that Zendesk takes these
	$self->bad_json if ($q->{headers}->content_encoding // '') =~ /gzip/i;
	return $self->oauth_token($q) if $handler eq 'oauth_token';
	$q->{user} = $self->authenticate($q);
	return $self->anonymous if $handler eq 'me' && !$q->{user};
	fail(401, { error => "Couldn't authenticate you" }) if !$q->{user};
	$self->_check_scope($q);
	$self->_take_account($q);
	return $self->$handler($q);
}

# The user of the request's credentials; undef if there are none or wrong ones.
sub authenticate ($self, $q)
{
	my $header = $q->{headers}->authorization // return;
	my $account = $q->{a};

	if ($header =~ /^Basic\s+(\S+)/i)
	{
		my ($email, $secret) = b64_decode($1) =~ m{^([^:]*?)/token:(.*)\z}s or return;
		my $user = $account->find_user($email) or return;
		my $name = $user->{role} eq 'admin' ? '' : 'agent-';
		return $user->{role} ne 'end-user' && $secret eq "${name}token-$account->{subdomain}" ? $user : undef;
	}
	my ($bearer) = $header =~ /^Bearer\s+(\S+)/i or return;
	my $token = $account->tokens->{$bearer};
	if (!$token || $token->{expires} <= $self->clock->now)
	{
		fail(401,
			{ error => 'invalid_token',
				error_description => 'The access token provided is expired, revoked, malformed or invalid for other reasons.' });
	}
	$q->{scopes} = $token->{scopes};
	return $account->users->{ $token->{user_id} };
}

sub _check_scope ($self, $q)
{
	my $scopes = $q->{scopes} or return;
	my $right = $q->{method} eq 'GET' ? 'read' : 'write';
	my $resource = $q->{relative} =~ m{^api/v2/(?:incremental/)?([a-z_]+)} ? $1 : '';
	my $known = 1;
	my $allowed = 0;

	$resource = 'tickets' if $resource =~ /^(?:ticket_fields|custom_statuses|deleted_tickets|job_statuses|ticket_forms|brands|groups|suspended_tickets)$/;
	for my $scope (@$scopes)
	{
		my ($of, $what) = $scope =~ /:/ ? split(/:/, $scope, 2) : (undef, $scope);
		$known = 0 if $what !~ /^(?:read|write|impersonate)$/ || (defined $of && !$RESOURCES{$of});
		$allowed = 1 if $what eq $right && (!defined $of || $of eq $resource);
	}
	$self->forbidden if !$known || !$allowed;
}

sub forbidden ($self)
{
	fail(403,
		{ error => { title => 'Forbidden',
				message => 'You do not have access to this page. Please contact the account owner of this help desk for further help.' } });
}

sub need_admin ($self, $q)
{
	$self->forbidden if $q->{user}{role} ne 'admin';
}

# Count the request against the account's limit and say so in the headers.
sub _take_account ($self, $q)
{
	$self->limits->note('zendesk', $q->{account}, 'account');
	my $taken = $self->limits->take('zendesk', $q->{account}, 'account') or return;
	my $reset = _ceil($taken->{reset});

	$q->{reply_headers} = {
		'X-Rate-Limit' => $taken->{limit},
		'X-Rate-Limit-Remaining' => $taken->{remaining},
		'ratelimit-limit' => $taken->{limit},
		'ratelimit-remaining' => $taken->{remaining},
		'ratelimit-reset' => $reset,
	};
	fail(429, 'Number of allowed API requests per minute exceeded', { 'Retry-After' => $reset }) if $taken->{refused};
}

# Count it against a special limit, too.
sub take ($self, $q, $class, $key = '')
{
	$self->limits->note('zendesk', $q->{account}, $class) if $key eq '';
	my $taken = $self->limits->take('zendesk', $q->{account}, $class, $key) or return;
	my $reset = _ceil($taken->{reset});

	if ($class =~ /^export/)
	{
		$q->{reply_headers}{ 'zendesk-ratelimit-incremental-exports' . ($self->config->{short_export_header} ? '' : '-cursor') } =
		  "total=$taken->{limit}; remaining=$taken->{remaining}; resets=$reset";
		fail(429,
			{ error => 'APIRateLimitExceeded',
				description => 'Number of allowed incremental export API requests per minute exceeded' },
			{ 'Retry-After' => $reset })
		  if $taken->{refused};
	}
	$q->{reply_headers}{'Zendesk-RateLimit-tickets-update'} = "total=$taken->{limit}; remaining=$taken->{remaining}; resets=$reset"
	  if $class eq 'ticket_updates';
	fail(429, 'Number of allowed API requests per minute exceeded', { 'Retry-After' => $reset }) if $taken->{refused};
}

sub _ceil ($seconds)
{
	return int($seconds) + ($seconds > int $seconds ? 1 : 0);
}

# Errors in Zendesk's several shapes.
sub not_found ($self)
{
	fail(404, { error => 'RecordNotFound', description => 'Not found' });
}

sub bad_json ($self)
{
	fail(422, { error => 'Unprocessable Entity', message => 'Server could not parse JSON' });
}

sub invalid_attribute ($self, $name, $rule)
{
	fail(400,
		{ error => { title => 'Invalid attribute',
				message => "You passed an invalid value for the $name attribute. Invalid parameter: $name $rule" } });
}

sub record_invalid ($self, %details)
{
	fail(422,
		{ error => 'RecordInvalid', description => 'Record validation errors',
			details => { map { $_ => [ { description => $details{$_}[0], error => $details{$_}[1] } ] } keys %details } });
}

# An integer of a query parameter within bounds, or its default.
sub int_parameter ($self, $q, $name, $default, $max)
{
	my $value = $q->{params}->param($name) // return $default;

	$self->invalid_attribute($name, 'must be an integer') if $value !~ /^\d{1,15}\z/;
	return $value > $max ? $max : $value < 1 ? 1 : 0 + $value;
}

# ------------------------------------------------------------------- OAuth

sub oauth_token ($self, $q)
{
	my $account = $q->{a};
	my $refuse = sub ($status, $error, $text) { fail($status, { error => $error, error_description => $text }) };

	$refuse->(400, 'invalid_request', 'The request is missing a required parameter or is otherwise malformed.')
	  if ($q->{headers}->content_type // '') !~ m{^application/json}i;
	my $body = $self->body($q);
	$refuse->(400, 'invalid_request', 'The request body must be a JSON object.') if ref $body ne 'HASH';
	$refuse->(401, 'invalid_client', 'Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.')
	  if ($body->{client_id} // '') ne "client-$q->{account}" || ($body->{client_secret} // '') ne "secret-$q->{account}";
	my $grant = $body->{grant_type} // '';
	my $refreshed;
	if ($grant eq 'refresh_token')
	{
		($refreshed) = grep { ($_->{refresh} // '') eq ($body->{refresh_token} // '-') } values %{ $account->tokens };
		$refuse->(400, 'invalid_grant', 'The provided authorization grant is invalid, expired, or revoked.') if !$refreshed;
		delete $account->tokens->{ $refreshed->{token} };
	}
	elsif ($grant eq 'authorization_code')
	{
		$refuse->(400, 'invalid_grant', 'The provided authorization grant is invalid, expired, or revoked.')
		  if ($body->{code} // '') ne "code-$q->{account}";
	}
	elsif ($grant ne 'client_credentials')
	{
		$refuse->(400, 'unsupported_grant_type', 'The authorization grant type is not supported.');
	}
	my $lifetime = $body->{expires_in} // 1800;
	my $least = $self->config->{min_token_lifetime} // 300;
	$refuse->(400, 'invalid_request', "expires_in must be between $least and 172800.")
	  if !is_int($lifetime) || $lifetime < $least || $lifetime > 172800;
	my $token = $self->_issue($account, $refreshed ? join(' ', @{ $refreshed->{scopes} }) : $body->{scope} // 'read', $lifetime, $grant ne 'client_credentials');
	$self->limits->note('zendesk', $q->{account}, 'oauth');
	return (
		201,
		{   access_token => $token->{token},
			token_type => 'bearer',
			scope => join(' ', @{ $token->{scopes} }),
			expires_in => $lifetime,
			defined $token->{refresh} ? (refresh_token => $token->{refresh}, refresh_token_expires_in => 2592000) : ()
		});
}

sub expire_tokens ($self, $subdomain = undef)
{
	my $expired = 0;

	for my $account (values %{ $self->accounts })
	{
		next if defined $subdomain && $subdomain ne $account->subdomain;
		$expired += keys %{ $account->tokens };
		$_->{expires} = 0 for values %{ $account->tokens };
	}
	return $expired;
}

# A new token with the rights of the first admin, who made the client.
sub _issue ($self, $account, $scope, $lifetime, $refreshable)
{
	my $tokens = $account->tokens;
	my $random = sub { join '', map { sprintf '%04x', int rand 65536 } 1 .. 10 };
	my $token = {
		token => $random->(),
		scopes => [ split ' ', $scope ],
		expires => $self->clock->now + $lifetime,
		user_id => $account->agent_ids->[0],
		n => ++$self->{issued},
		$refreshable ? (refresh => $random->()) : (),
	};

	$tokens->{ $token->{token} } = $token;
	if (keys %$tokens > $TOKENS)
	{
		my ($oldest) = sort { $a->{n} <=> $b->{n} } values %$tokens;
		delete $tokens->{ $oldest->{token} };
	}
	return $token;
}

# ----------------------------------------------------------------- exports

sub export_tickets ($self, $q)
{
	my $account = $q->{a};

	$self->need_admin($q);
	$self->take($q, 'export');
	my $type = $q->{params}->param('support_type_scope') // 'agent';
	$self->invalid_attribute('support_type_scope', 'must be one of all, agent, ai_agent') if $type !~ /^(?:all|agent|ai_agent)\z/;
	$account->release_held;
	my $live = truthy($q->{params}->param('exclude_deleted'));
	my $page = $self->_export_page($q, $account->export, 'tickets',
		$type eq 'ai_agent' ? sub { 0 } : $live ? sub ($id) { !$account->deleted->{$id} } : undef);
	my $json = join ',', map { $account->ticket_json($_) } @{ $page->{ids} };
	my $rest = encode_json({ %{ $page->{envelope} }, %{ $self->_side_load($q, $page->{ids}) } });

	return (200, \('{"tickets":[' . $json . '],' . substr $rest, 1));
}

sub export_users ($self, $q)
{
	$self->need_admin($q);
	$self->take($q, 'export_users');
	my $page = $self->_export_page($q, $q->{a}->user_export, 'users', undef);

	return (200, { users => [ map { $q->{a}->users->{$_} } @{ $page->{ids} } ], %{ $page->{envelope} } });
}

# One page of an order from start_time or after cursor, with its envelope.
sub _export_page ($self, $q, $order, $what, $accept)
{
	my ($start, $cursor) = map { $q->{params}->param($_) } qw(start_time cursor);
	my $now = int $self->clock->now;
	# The current second is never shown: it may still get smaller ids.
	my $until = Simulator::Order->key($now - $q->{a}->holdback, 0);
	my $after = '';

	if (defined $cursor && $cursor ne '')
	{
		my ($time, $id) = (b64_decode($cursor) // '') =~ /^(\d{1,12})\.0\|\|(\d{1,15})\|/
		  or fail(400, { error => 'InvalidValue', description => 'Invalid cursor' });
		$after = Simulator::Order->key($time, $id);
	}
	else
	{
		$self->invalid_attribute('start_time', 'must be an integer') if ($start // '') !~ /^\d{1,12}\z/;
		fail(422, { error => 'InvalidValue', description => 'Too recent start_time. Use a start_time older than 5 minutes' })
		  if $start > $now - $self->start_time_age;
		$after = Simulator::Order->key($start - 1, 999_999_999_999_999) if $start > 0;
	}
	my $limit = $self->int_parameter($q, 'per_page', 1000, 1000);
	my $keys = $q->{empty_page} ? [] : $order->ascending($after, $until, $limit + 1, 0, $accept);
	my $more = @$keys > $limit;
	pop @$keys if $more;
	my $last = @$keys ? $keys->[-1] : $after;
	my $next = @$keys || (defined $cursor && $cursor ne '') ? $self->_cursor($last) : undef;
	# An empty page in the middle has a cursor of its own at the same place.
	$next = $self->_cursor($after eq '' ? Simulator::Order->key(0, 0) : $after, ++$self->{empty_pages}) if $q->{empty_page};
	return {
		ids => [ map { (Simulator::Order->split_key($_))[1] } @$keys ],
		envelope => {
			after_cursor => $next,
			after_url => defined $next ? $self->address($q) . "/api/v2/incremental/$what/cursor?cursor=$next" : undef,
			before_cursor => undef,
			before_url => undef,
			end_of_stream => $more || $q->{empty_page} ? false : true,
		},
	};
}

sub _cursor ($self, $key, $mark = '')
{
	my ($time, $id) = Simulator::Order->split_key($key);

	return b64_encode("$time.0||$id|$mark", '');
}

# The arrays that include= asks for: what the page's tickets refer to.
sub _side_load ($self, $q, $ids)
{
	my %include = map { $_ => 1 } split /,/, $q->{params}->param('include') // '';
	my $account = $q->{a};
	my %loaded;

	if ($include{users})
	{
		my %seen;
		for my $id (@$ids)
		{
			my $json = $account->tickets->{$id};
			$seen{$1} = 1 while $json =~ /"(?:requester|submitter|assignee)_id":(\d+)/g;
		}
		$loaded{users} = [ map { $account->users->{$_} } sort { $a <=> $b } grep { $account->users->{$_} } keys %seen ];
	}
	$loaded{groups} = $account->groups if $include{groups};
	$loaded{organizations} = $account->organizations if $include{organizations};
	return \%loaded;
}

# Ordered by time alone: a page ends with the last event of its last second.
sub export_ticket_events ($self, $q)
{
	my $account = $q->{a};
	my $start = $q->{params}->param('start_time');
	my $now = int $self->clock->now;
	my $limit = $self->int_parameter($q, 'per_page', 1000, 1000);
	my $comments = ($q->{params}->param('include') // '') =~ /\bcomment_events\b/;

	$self->need_admin($q);
	$self->take($q, 'export');
	$self->invalid_attribute('start_time', 'must be an integer') if ($start // '') !~ /^\d{1,12}\z/;
	fail(422, { error => 'InvalidValue', description => 'Too recent start_time. Use a start_time older than 5 minutes' })
	  if $start > $now - $self->start_time_age;
	my @events = grep { $_->{timestamp} >= $start && $_->{timestamp} < $now - $account->holdback } @{ $account->ticket_events };
	my $more = @events > $limit;
	splice @events, $limit if $more;
	my $end = @events ? $events[-1]{timestamp} : $start;
	@events = map { _event($_, $comments) } @events;
	return (
		200,
		{   ticket_events => \@events, count => scalar @events, end_time => 0 + $end, end_of_stream => $more ? false : true,
			next_page => $self->address($q) . "/api/v2/incremental/ticket_events.json?start_time=$end"
		});
}

# Without the side-load, an event only tells that there is a comment.
sub _event ($event, $comments)
{
	my @children = map { $comments || $_->{type} ne 'Comment' ? $_ : { id => $_->{id}, comment_present => true, comment_public => $_->{public} } } @{ $event->{child_events} };

	return { %$event, child_events => \@children };
}

sub export_organizations ($self, $q)
{
	$self->need_admin($q);
	$self->take($q, 'export');
	my ($account, $start) = ($q->{a}, $q->{params}->param('start_time') // '');
	my $now = int $self->clock->now;
	my $limit = $self->int_parameter($q, 'per_page', 1000, 1000);

	$self->invalid_attribute('start_time', 'must be an integer') if $start !~ /^\d{1,12}\z/;
	fail(422, { error => 'InvalidValue', description => 'Too recent start_time. Use a start_time older than 5 minutes' })
	  if $start > $now - $self->start_time_age;
	my $after = $start > 0 ? Simulator::Order->key($start - 1, 999_999_999_999_999) : '';
	my $keys = $account->organization_export->ascending($after, Simulator::Order->key($now - $account->holdback, 0), $limit + 1, 0, undef);
	my $more = @$keys > $limit;
	pop @$keys if $more;
	# a page ends with the second of its last record, of which more may follow
	my $end = @$keys ? (Simulator::Order->split_key($keys->[-1]))[0] : $start;
	my %organization = map { $_->{id} => $_ } @{ $account->organizations };
	my $list = [ map { $organization{ (Simulator::Order->split_key($_))[1] } } @$keys ];

	return (
		200,
		{   organizations => $list, count => scalar @$list, end_time => 0 + $end, end_of_stream => $more ? false : true,
			next_page => $self->address($q) . "/api/v2/incremental/organizations.json?start_time=$end"
		});
}

# ------------------------------------------------------- users, small lists

sub anonymous ($self)
{
	return (
		200,
		{   user => { id => undef, name => 'Anonymous user', email => 'invalid@example.com', role => 'end-user',
				url => undef, active => false, verified => false, organization_id => undef, tags => [], locale => 'en-US' }
		});
}

sub me ($self, $q)
{
	return (200, { user => $q->{user} });
}

sub user ($self, $q)
{
	return (200, { user => $q->{a}->users->{ $q->{p}{id} } // $self->not_found });
}

sub users ($self, $q)
{
	my $users = $q->{a}->users;

	return (200, $self->page_of($q, 'users', [ sort { $a <=> $b } keys %$users ], sub ($id) { $users->{$id} }));
}

sub users_show_many ($self, $q)
{
	my @ids = $self->ids_parameter($q);

	return (200, { users => [ grep { defined } map { $q->{a}->users->{$_} } @ids ], count => scalar @ids, next_page => undef, previous_page => undef });
}

# GET /users/search: by the address only.
sub users_search ($self, $q)
{
	my ($email) = ($q->{params}->param('query') // '') =~ /\Aemail:"?([^"\s]+)"?\z/;
	my $user = defined $email ? $q->{a}->find_user($email) : undef;

	return (200, { users => [ $user // () ], count => $user ? 1 : 0, next_page => undef, previous_page => undef });
}

sub user_create_or_update ($self, $q)
{
	my $body = $self->body($q);
	my $account = $q->{a};
	my $given = ref $body eq 'HASH' ? $body->{user} : undef;

	fail(400, { error => { title => 'Invalid attribute', message => 'Parameter user is required' } }) if ref $given ne 'HASH';
	for my $name (grep { defined $given->{$_} } qw(name email external_id phone))
	{
		$self->invalid_attribute($name, 'must be a string') if !is_string($given->{$name});
	}
	$self->record_invalid(name => [ 'Name: is too short (minimum one character)', 'BlankValue' ]) if ($given->{name} // '') eq '';
	my %changes = map { $_ => $given->{$_} } grep { exists $given->{$_} } qw(name email external_id phone organization_id);
	my $user = defined $given->{email} ? $account->find_user($given->{email}) : undef;
	($user) = grep { ($_->{external_id} // '') eq $given->{external_id} } values %{ $account->users }
	  if !$user && defined $given->{external_id};
	my $status = $user ? 200 : 201;
	$user ? $account->update_user($user, \%changes) : ($user = $account->add_user(%changes));
	$self->wrote($q, 'user', $user->{id}, $status);
	return ($status, { user => $user });
}

sub groups ($self, $q) { return $self->_list($q, 'groups', $q->{a}->groups) }

sub brands ($self, $q) { return $self->_list($q, 'brands', $q->{a}->all_brands) }

# Not all plans have forms.
sub ticket_forms ($self, $q)
{
	$self->forbidden if $self->config->{no_forms};
	return $self->_list($q, 'ticket_forms', $q->{a}->all_ticket_forms);
}

sub suspended_tickets ($self, $q) { return $self->_list($q, 'suspended_tickets', $q->{a}->suspended_tickets) }

# What was done to a ticket since it was seeded.
sub ticket_audits ($self, $q)
{
	my $account = $q->{a};

	$self->not_found if !defined $account->tickets->{ $q->{p}{id} } || $account->deleted->{ $q->{p}{id} };
	my %audits = map { $_->{id} => {
		id => $_->{id}, ticket_id => $_->{ticket_id}, created_at => $_->{created_at}, author_id => $_->{updater_id}, metadata => {},
		via => { channel => 'api' }, events => [ map { my %event = %$_; delete @event{qw(event_type via_reference_id)}; \%event } @{ $_->{child_events} } ] } }
	  grep { $_->{ticket_id} == $q->{p}{id} } @{ $account->ticket_events };
	my %users = map { $_->{author_id} => $account->users->{ $_->{author_id} } } values %audits;

	return (200, { %{ $self->page_of($q, 'audits', [ sort { $a <=> $b } keys %audits ], sub ($id) { $audits{$id} }) },
		($q->{params}->param('include') // '') =~ /\busers\b/ ? (users => [ grep { defined } values %users ]) : () });
}

sub organizations ($self, $q) { return $self->_list($q, 'organizations', $q->{a}->organizations) }

# A list in pages, by its ids.
sub _list ($self, $q, $what, $list)
{
	my %by_id = map { $_->{id} => $_ } @$list;

	return (200, $self->page_of($q, $what, [ sort { $a <=> $b } keys %by_id ], sub ($id) { $by_id{$id} }));
}

sub organization ($self, $q)
{
	my ($found) = grep { $_->{id} eq $q->{p}{id} } @{ $q->{a}->organizations };

	return (200, { organization => $found // $self->not_found });
}

sub organizations_show_many ($self, $q)
{
	my %wanted = map { $_ => 1 } $self->ids_parameter($q);
	my @found = grep { $wanted{ $_->{id} } } @{ $q->{a}->organizations };

	return (200, { organizations => \@found, count => scalar @found, next_page => undef, previous_page => undef });
}

# Found by id or external_id; a name belongs to one organization only.
sub organization_create_or_update ($self, $q)
{
	my $body = $self->body($q);
	my $account = $q->{a};
	my $given = ref $body eq 'HASH' ? $body->{organization} : undef;

	fail(400, { error => { title => 'Invalid attribute', message => 'Parameter organization is required' } }) if ref $given ne 'HASH';
	for my $name (grep { defined $given->{$_} } qw(name external_id notes details))
	{
		$self->invalid_attribute($name, 'must be a string') if !is_string($given->{$name});
	}
	my ($found) = grep { defined $given->{id} ? $_->{id} eq $given->{id} : defined $given->{external_id} && ($_->{external_id} // '') eq $given->{external_id} } @{ $account->organizations };
	my $name = $given->{name} // ($found // {})->{name} // '';
	$self->record_invalid(name => [ 'Name: cannot be blank', 'BlankValue' ]) if $name eq '';
	$self->record_invalid(name => [ "Name: $name has already been taken", 'DuplicateValue' ])
	  if grep { lc $_->{name} eq lc $name && $_ != ($found // 0) } @{ $account->organizations };
	my $status = $found ? 200 : 201;
	$found = $account->edit_catalogue('organizations', $found ? $found->{id} : undef,
		{ map { $_ => $given->{$_} } grep { exists $given->{$_} } qw(name external_id notes details domain_names tags organization_fields) });
	$self->wrote($q, 'organization', $found->{id}, $status);
	return ($status, { organization => $found });
}

sub ticket_fields ($self, $q)
{
	$self->take($q, 'ticket_fields');
	return $self->_paged_fields($q) if $self->config->{paged_fields};
	return (200, { ticket_fields => $q->{a}->fields, count => scalar @{ $q->{a}->fields }, next_page => undef, previous_page => undef });
}

sub ticket_field ($self, $q)
{
	my ($found) = grep { $_->{id} eq $q->{p}{id} } @{ $q->{a}->fields };

	$self->take($q, 'ticket_fields');
	return (200, { ticket_field => $found // $self->not_found });
}

# Pages whose links name another host, as a proxy's might: nobody may follow
# these with our credentials.
sub _paged_fields ($self, $q)
{
	my ($after) = (b64_decode($q->{params}->param('page[after]') // '') // '') =~ /^(\d+)\z/;
	my @fields = @{ $q->{a}->fields };
	my $from = $after // 0;
	my @shown = grep { defined } @fields[ $from .. $from + $self->config->{paged_fields} - 1 ];
	my $more = $from + @shown < @fields;
	my $next = b64_encode($from + @shown, '');

	return (200, { ticket_fields => \@shown, meta => { has_more => $more ? true : false, after_cursor => $next },
			links => { next => $more ? "https://elsewhere.example/api/v2/ticket_fields.json?page%5Bafter%5D=$next" : undef } });
}

sub custom_statuses ($self, $q)
{
	return (200, { custom_statuses => $q->{a}->custom_statuses });
}

# A write was applied: tell the ledger.
sub wrote ($self, $q, $operation, $object, $status, %more)
{
	$self->ledger->write(
		vendor => 'zendesk',
		account => $q->{account},
		operation => $operation,
		object => "$object",
		status => $status,
		request => $q,
		%more);
}

1;
