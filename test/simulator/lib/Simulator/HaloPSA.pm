package Simulator::HaloPSA;

# The HaloPSA API: tokens, limits, catalogues, clients, sites, users.  Tickets,
# opportunities and actions are in Simulator::HaloPSA::Tickets, the data in
# Simulator::HaloPSA::Instance, which also knows how records look.
#
# The base address of an instance is /halopsa/NAME, with its API below /api and
# its authorisation server below /auth.

use Mojo::Base 'Simulator::Vendor', -signatures;
use Mojo::JSON qw(false true);
use Mojo::Parameters;
use Mojo::Util qw(b64_decode);
use Simulator::HaloPSA::Instance;
use Simulator::HaloPSA::Seed;
use Simulator::Vendor qw(fail is_number is_string truthy);

# These add to the package's methods.
use Simulator::HaloPSA::Records;
use Simulator::HaloPSA::Tickets;
use Simulator::HaloPSA::Webhooks;

has instances => sub { {} };
has settings => sub { {} };

# What a test may set, and what holds otherwise.
my %SETTINGS = (
	batch => 'partial',           # or atomic: what a bad element does to those before it
	returnall => 1,               # 0: of several records only the last one comes back, whatever is asked for
	retry_after => 0,             # whether a 429 says how long to wait
	error_format => 'mixed',      # or one of the formats of error(), for all errors
	tenant_required => 0,
	token_seconds => 3600,
	lastupdate_filter => 1,       # 0: lastupdatefromdate and lastupdatetodate have no effect
	missing_as_empty => 0,        # 1: a record that is not there is 200 and {}
	old_build => 0,               # 1: tickets have flastupdate in place of last_update
	marks => 1,                   # 0: tickets do not show third_party_id_string
	page_cap => 0,                # most records of a page, whatever its page_size says
	deny => 'hide',               # or forbid: how lists look to a token without the right to read
);
my $DEFAULT_PAGE = 50;
my %RIGHTS = (
	(map { $_ => 'tickets' } qw(tickets opportunities projects actions)),
	(map { $_ => 'customers' } qw(client site users)));

sub name ($self) { return 'halopsa' }

sub new ($class, @arguments)
{
	my $self = $class->SUPER::new(@arguments);

	$self->add_routes(
		'POST auth/token' => 'token',
		'GET api/authinfo' => 'authinfo',
		$self->record_routes,
		$self->webhook_routes,
		$self->ticket_routes);
	return $self;
}

# Begin anew: instance acme with tickets and opportunities, globex with a tenth.
sub reset ($self, $options)
{
	my ($tickets, $leads, $seed) = ($options->{halopsa_tickets} // 20, $options->{halopsa_leads} // 5, $options->{seed} // 1);

	$self->instances({});
	$self->settings({%SETTINGS});
	$self->setting(batch => $options->{halopsa_batch}) if defined $options->{halopsa_batch};
	$self->setting(retry_after => $options->{halopsa_retry_after}) if defined $options->{halopsa_retry_after};
	$self->seed('acme', $tickets, $leads, $seed);
	$self->seed('globex', int($tickets / 10), int($leads / 10), $seed + 1);
}

# Make an instance, or make it anew.
sub seed ($self, $name, $tickets, $leads, $seed)
{
	my $instance = Simulator::HaloPSA::Instance->new(name => $name, clock => $self->clock, files => $self->files, old_build => $self->settings->{old_build}, marks => $self->settings->{marks});

	Simulator::HaloPSA::Seed->new($seed * 17 + 5)->fill($instance, $tickets, $leads);
	$instance->announce(sub ($ticket, $event, $action) { $self->record_changed($instance, $ticket, $event, $action) });
	return $self->instances->{$name} = $instance;
}

sub setting ($self, $name, $value)
{
	die "no setting \"$name\"\n" if !exists $SETTINGS{$name};
	$self->settings->{$name} = $value;
	if ($name eq 'old_build') { $_->old_build($value) for values %{ $self->instances } }
	if ($name eq 'marks') { $_->marks($value) for values %{ $self->instances } }
}

# -------------------------------------------------------- one request's way

# The instance is the first segment.  Paths are written in any case.
sub locate ($self, $q)
{
	my ($name, $rest) = split m{/}, $q->{relative}, 2;

	$q->{account} = $name;
	$q->{relative} = lc($rest // '') =~ s{/+\z}{}r;
}

sub dispatch ($self, $q)
{
	my $instance = $q->{i} = $self->instances->{ $q->{account} // '' }
	  or fail(404, '<html><body><h1>404 - there is no site at this address</h1></body></html>', { 'Content-Type' => 'text/html' });
	my $handler = $q->{handler} or $self->error(404, 'No HTTP resource was found that matches the request.', 'message');

	return $self->token($q) if $handler eq 'token';
	return $self->authinfo($q) if $handler eq 'authinfo';
	$self->_take($q, 'api');
	my $token = $self->_authenticate($q);
	my ($entity) = $q->{relative} =~ m{^api/(\w+)};
	my $allowed = $self->_allowed($token, $entity, $q->{method});
	$self->error(403, 'You do not have permission to do this.', 'message') if !$allowed && ($q->{method} ne 'GET' || $self->settings->{deny} eq 'forbid');
	$q->{hidden} = !$allowed;
	return $self->$handler($q);
}

# Give up with a text for humans, in one of the shapes that HaloPSA's errors have.
sub error ($self, $status, $text, $format = 'message')
{
	my $chosen = $self->settings->{error_format};

	$format = $chosen if $chosen ne 'mixed';
	fail($status, "<!DOCTYPE html>\r\n<html><head><title>Error</title></head><body><h2>Error $status</h2><p>$text</p></body></html>", { 'Content-Type' => 'text/html' }) if $format eq 'html';
	fail($status, $text) if $format eq 'text';
	fail(
		$status,
		$format eq 'result_code'  ? { resultCode => $status, errorMessage => $text }
		: $format eq 'class_name' ? { ClassName => 'System.Exception', Message => $text, Data => undef, InnerException => undef }
		: $format eq 'Message'    ? { Message => $text }
		: $format eq 'oauth'      ? { error => 'invalid_request', error_description => $text }
		:                           { message => $text });
}

sub bad_json ($self)
{
	$self->error(400, 'Unexpected character encountered while parsing value. Path \'\', line 1, position 1.', 'text');
}

sub _take ($self, $q, $class)
{
	my $limits = $self->limits;

	$limits->note('halopsa', $q->{account}, $class);
	my $taken = $limits->take('halopsa', $q->{account}, $class) or return;
	return if !$taken->{refused};
	my $minutes = $taken->{seconds} / 60;
	my %headers = $self->settings->{retry_after} ? ('Retry-After' => int($taken->{reset}) + 1) : ();
	fail(429, "Rate Limit Reached - $taken->{limit} Requests per rolling $minutes minute window", { %headers, 'Content-Type' => 'text/plain; charset=utf-8' });
}

sub _authenticate ($self, $q)
{
	my ($bearer) = ($q->{headers}->authorization // '') =~ /^Bearer\s+(\S+)/i;

	fail(401, undef, { 'WWW-Authenticate' => 'Bearer' }) if !defined $bearer;
	my $token = $q->{i}->tokens->{$bearer};
	return $token if $token && $token->{expires} > $self->clock->now;
	fail(401, { error => 'invalid_token', error_description => $token ? 'The token is expired.' : 'The token is not valid.' }, { 'WWW-Authenticate' => 'Bearer error="invalid_token"' });
}

# Whether a token's scopes reach: all, or read and edit of tickets and customers.
sub _allowed ($self, $token, $entity, $method)
{
	my $right = $RIGHTS{ $entity // '' } or return 1;
	my %scopes = map { $_ => 1 } @{ $token->{scopes} };

	return 0 if $token->{limited};
	return 1 if $scopes{all} || $scopes{'all:standard'};
	return $scopes{"edit:$right"} ? 1 : $method eq 'GET' && $scopes{"read:$right"} ? 1 : 0;
}

# ---------------------------------------------------- the authorisation server

# Where the authorisation server is; needs no token.
sub authinfo ($self, $q)
{
	my $host = $q->{headers}->host // 'localhost';
	my $scheme = $self->config->{tls} ? 'https' : 'http';

	return (200, { auth_url => "$scheme://$host/halopsa/$q->{account}/auth", tenant_id => $q->{account}, use => 'authinfo', instance_name => $q->{account} });
}

# client_credentials by form; the tenant may stand in the query or the form.
sub token ($self, $q)
{
	$self->_take($q, 'token');
	fail(400, { error => 'invalid_request', error_description => 'The mandatory \'Content-Type\' header is missing or is not a form.' })
	  if ($q->{headers}->content_type // '') !~ m{^application/x-www-form-urlencoded\b}i;
	my $form = Mojo::Parameters->new($q->{body});
	my $tenant = $q->{params}->param('tenant') // $form->param('tenant');
	my ($id, $secret) = map { $form->param($_) // '' } qw(client_id client_secret);
	my $name = $q->{account};
	my $limited = $id eq "limited-$name";

	fail(400, { error => 'unsupported_grant_type', error_description => 'The specified \'grant_type\' is not supported.' }) if ($form->param('grant_type') // '') ne 'client_credentials';
	fail(400, { error => 'invalid_request', error_description => 'The tenant is missing.' }) if !defined $tenant && $self->settings->{tenant_required};
	fail(401, { error => 'invalid_client', error_description => 'The specified client credentials are invalid.' }, { 'WWW-Authenticate' => 'Bearer error="invalid_client"' })
	  if $id ne "client-$name" && !$limited || $secret ne "secret-$name" || defined $tenant && lc $tenant ne lc $name;
	my $scope = $form->param('scope') // 'all';
	my @scopes = split ' ', $scope;
	fail(400, { error => 'invalid_scope', error_description => 'The specified \'scope\' is not valid.' }) if !@scopes || grep { !/^(?:all|all:standard|(?:read|edit):[a-z]+|offline_access)\z/ } @scopes;
	my $token = $self->_issue($q->{i}, \@scopes, $limited);
	return (200, { scope => $scope, token_type => 'Bearer', access_token => $token, expires_in => 0 + $self->settings->{token_seconds} });
}

sub _issue ($self, $instance, $scopes, $limited)
{
	my $number = ++$self->{issued};
	my $token = join '.', 'eyJhbGciOiJSUzI1NiJ9', map { sprintf '%08x%08x%08x', $number, int rand 4294967296, int rand 4294967296 } 1 .. 12;

	$instance->tokens->{$token} = { scopes => $scopes, limited => $limited, expires => $self->clock->now + $self->settings->{token_seconds} };
	return $token;
}

# End all tokens of an instance (or of all) now; returns how many.
sub expire_tokens ($self, $account = undef)
{
	my $ended = 0;

	for my $instance (values %{ $self->instances })
	{
		next if defined $account && $account ne $instance->name;
		$ended += grep { $_->{expires} > $self->clock->now } values %{ $instance->tokens };
		$_->{expires} = 0 for values %{ $instance->tokens };
	}
	return $ended;
}

# ------------------------------------------------------ what all lists share

# A list as its query asks for it.  $found holds the records, $show->(record)
# the row of one, %list: key (of the array), most (rows on a page), sort
# (order name => sub), ids (name of the parameter that asks for ids alone).
sub list ($self, $q, $found, $show, %list)
{
	my $params = $q->{params};
	my $total = @$found;
	my ($order, $descending) = (lc($params->param('order') // ''), truthy($params->param('orderdesc')));
	my $by = $list{sort}{$order};
	my %page;

	$descending = $list{newest_first} if !$by && $order ne 'id';
	my @rows = $by ? sort { $by->($a, $b) || $a->{id} <=> $b->{id} } @$found : sort { $a->{id} <=> $b->{id} } @$found;
	@rows = reverse @rows if $descending;
	my $ids_only = truthy($params->param($list{ids}));
	if (truthy($params->param('pageinate')))
	{
		my ($number, $size) = map { my $n = $params->param($_) // ''; $n =~ /^\d{1,9}\z/ && $n > 0 ? $n : undef } qw(page_no page_size);
		$number //= 1;
		$size = $list{most} if ($size //= $DEFAULT_PAGE) > $list{most};
		%page = (page_no => $number, page_size => $size);
		# fewer than it says
		$size = $self->settings->{page_cap} if $self->settings->{page_cap} && $size > $self->settings->{page_cap};
		@rows = splice @rows, ($number - 1) * $size < @rows ? ($number - 1) * $size : scalar @rows, $size;
		$ids_only = 0 if $list{no_id_pages};
	}
	elsif (!$ids_only || !$list{no_id_pages})
	{
		my $count = $params->param('count') // '';
		splice @rows, $count =~ /^\d{1,9}\z/ && $count > 0 ? $count : $DEFAULT_PAGE;
	}
	@rows = () if $q->{empty_page};
	return (200, \$q->{i}->json({ record_count => $total, %page, %{ $list{more} // {} }, $list{key} => [ map { $ids_only ? { id => $_->{id} } : $show->($_) } @rows ] }));
}

# Whether a time lies in what lastupdatefromdate and lastupdatetodate ask for.
# A value that is no date has no effect.
sub update_filter ($self, $q)
{
	return sub { return 1 }
	  if !$self->settings->{lastupdate_filter};
	my ($from, $to) = map { Simulator::HaloPSA::Instance->parse_date($q->{params}->param($_)) } qw(lastupdatefromdate lastupdatetodate);

	return sub ($time) { return (!defined $from || $time >= $from) && (!defined $to || $time <= $to) };
}

# The elements of a POST: an array of objects, and nothing else.
sub elements ($self, $q)
{
	my $body = $self->body($q);

	$self->error(400, 'Cannot deserialize the current JSON object because the type requires a JSON array to deserialize correctly. Path \'\', line 1.', 'text') if ref $body eq 'HASH';
	$self->error(400, 'A non-empty request body is required.', 'Message') if ref $body ne 'ARRAY' || !@$body;
	$self->error(400, 'Error converting value to an object. Path \'[0]\', line 1.', 'text') if grep { ref $_ ne 'HASH' } @$body;
	return $body;
}

# Apply the elements of a POST: $prepare->(element) checks one and returns a
# sub that applies it, writes the ledger and returns the object to show.
sub apply ($self, $q, $prepare)
{
	my $elements = $self->elements($q);
	my (@ready, @done);

	if ($self->settings->{batch} eq 'atomic')
	{
		@ready = map { $prepare->($_) } @$elements;
	}
	for my $i (0 .. $#$elements)
	{
		fail(500, "<html><body><h1>Server Error in '/' Application.</h1></body></html>", { 'Content-Type' => 'text/html' }) if defined $q->{stop_at} && $i == $q->{stop_at};
		$q->{element} = $i;
		my $work = $ready[$i] // $prepare->($elements->[$i]);
		push @done, $work->();
	}
	my $instance = $q->{i};
	my $shown = $self->settings->{returnall} && truthy($q->{params}->param('returnall')) ? [ map { $_->() } @done ] : $done[-1]->();
	return (201, \$instance->json($shown));
}

# Note a write in the ledger.
sub wrote ($self, $q, $operation, $object, $status, %more)
{
	$self->ledger->write(
		vendor => 'halopsa', account => $q->{account}, operation => $operation, object => "$object", status => $status, request => $q,
		element => $q->{element} // 0, elements => ref $q->{json} eq 'ARRAY' ? scalar @{ $q->{json} } : 1, %more);
}

# An id of a path; records that are not there are 404, or an empty object.
sub missing ($self, $what)
{
	fail(200, {}) if $self->settings->{missing_as_empty};
	$self->error(404, "$what not found", 'message');
}

# An integer of a request: a number, or its digits as text; "95.0" is neither.
sub integer ($self, $name, $value)
{
	return undef if !defined $value;
	$self->error(500, "Unable to cast object of type '" . (ref $value ? 'Newtonsoft.Json.Linq.JObject' : 'System.Boolean') . "' to type 'System.Int32'.", 'class_name') if ref $value;
	return $value if is_number($value) && $value == int $value;
	return 0 + $value if is_string($value) && $value =~ /^-?\d{1,10}\z/;
	$self->error(400, "Could not convert string to integer: $value. Path '[0].$name', line 1.", 'text');
}

1;
