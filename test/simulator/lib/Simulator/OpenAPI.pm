package Simulator::OpenAPI;

# Compare requests and replies with the vendors' own OpenAPI documents.
#
# The documents are the vendors' property and not part of this project: they
# are looked for in the directory that ZCSYNC_VENDOR_DOCS names, else in a
# directory `vendor` one or two levels beside the project.  The check is
# structural: does the operation exist, are its parameters and properties
# known, are required ones there, do types and enumerations agree.
#
#	my $documents = Simulator::OpenAPI->load or plan skip_all => ...;
#	my @problems = $documents->check_request('clickup', 'PUT',
#		'/api/v2/task/9hx', 'custom_task_ids=true', '{"name":"x"}');

use Mojo::Base -base, -signatures;
use File::Basename qw(dirname);
use File::Spec;
use Mojo::File ();
use Mojo::JSON qw(decode_json);
use Mojo::Parameters;
use Mojo::Util qw(url_unescape);
use Simulator::Vendor qw(is_bool is_int is_number is_string);

has documents => sub { {} };

my %FILES = (
	zendesk => 'zendesk/support-oas.yaml',
	clickup => 'clickup/clickup-api-v2-reference.json',
	halopsa => 'halopsa/swagger-v2.json');
my $ROOT = File::Spec->rel2abs(dirname(__FILE__) . '/../../../..');

# What the vendors accept and their documents leave out.
my %UNDOCUMENTED_QUERY = (
	zendesk => { map { $_ => 1 } qw(per_page page include exclude_deleted page[size] page[after] ids) },
	clickup => { map { $_ => 1 } qw(start start_id) },
	halopsa => { map { $_ => 1 } qw(returnall nocache tenant ticket_id) });
my %UNDOCUMENTED_BODY = (
	zendesk => { map { $_ => 1 } qw(updated_stamp safe_update requester external_id additional_tags remove_tags id) },
	clickup => {},
	halopsa => {});
my %NULLABLE = (
	zendesk => {},
	clickup => { map { $_ => 1 } qw(due_date start_date time_estimate points priority) },
	halopsa => {});
my %UNDOCUMENTED_OPERATION = (
	zendesk => { map { $_ => 1 } 'POST /oauth/tokens' },
	clickup => {},
	halopsa => { map { $_ => 1 } 'POST /auth/token', 'GET /api/authinfo' });

# Where the documents contradict what the vendors really send.
my %CONTRADICTED = (
	zendesk => qr/^reply\.(?:tickets\[\d+\]\.status: "deleted" is not|audit\.events\[\d+\]\.(?:previous_)?value is an array)/,
	clickup => qr/^reply\.(?:folders is an array|(?:\w+\[\d+\]\.)*task_count is an integer|(?:tasks\[\d+\]\.)?(?:(?:assignees|watchers|tags)\[\d+\]|priority) is an object)/,
	# Members that replies have and the schema of requests, by which they are
	# checked, has not.
	halopsa => qr/^reply(?:\.\w+)?(?:\[\d+\])?\.(?:guid|key|priority|user|tickettype|team_id|flastupdate|services|site|who)\b.* (?:is not known|is an object)|\.user\./);

# What HaloPSA's lists hold, by the last segment of the path: the schema of the
# elements, and the key of the array where the list is not bare.
my %LISTS = (
	Tickets => [ 'Faults', 'tickets' ], Opportunities => [ 'Faults', 'tickets' ], Client => [ 'Area', 'clients' ], Site => [ 'Site', 'sites' ],
	Users => [ 'Users', 'users' ], Actions => [ 'Actions', 'actions' ], Attachment => [ 'Attachment', 'attachments' ], Status => ['TStatus'], Priority => ['Policy'],
	TicketType => ['RequestType'], Team => ['SectionDetail'], Agent => ['Uname'], FieldInfo => ['FieldInfo'], Lookup => ['Lookup'], Outcome => ['TOutcome']);

# The documents that were found; undef if there is none.
sub load ($class)
{
	my %found;

	for my $vendor (sort keys %FILES)
	{
		my ($file) = grep { -r } map { "$_/$FILES{$vendor}" }
		  defined $ENV{ZCSYNC_VENDOR_DOCS} ? $ENV{ZCSYNC_VENDOR_DOCS} : (glob("$ROOT/vendor $ROOT/../vendor $ROOT/../*/vendor"));
		next if !defined $file;
		$found{$vendor} = $file =~ /\.json\z/ ? decode_json(Mojo::File->new($file)->slurp) : _yaml($file);
		_add_version_3($found{$vendor}, $file =~ s/v2-reference/v3/r) if $vendor eq 'clickup';
	}
	return %found ? $class->new(documents => \%found) : undef;
}

# ClickUp describes version 3 in a document of its own, whose paths begin with /api.
sub _add_version_3 ($document, $file)
{
	my $more = -r $file ? decode_json(Mojo::File->new($file)->slurp) : return;

	$document->{paths}{ s{^/api}{}r } = $more->{paths}{$_} for keys %{ $more->{paths} };
	$document->{components}{schemas}{$_} //= $more->{components}{schemas}{$_} for keys %{ $more->{components}{schemas} };
}

sub _yaml ($file)
{
	require YAML::XS;
	return YAML::XS::LoadFile($file);
}

# The problems of a request: the path may have the simulator's prefix, query
# and body may be text or structures.
sub check_request ($self, $vendor, $method, $path, $query = '', $body = undef)
{
	my $operation = $self->_operation($vendor, $method, $path);
	my $name = "$method " . _bare($path);

	return $UNDOCUMENTED_OPERATION{$vendor}{$name} ? () : ("$name: no such operation") if !$operation;
	my @problems = $self->_check_query($vendor, $operation, ref $query eq 'HASH' ? Mojo::Parameters->new(%$query) : Mojo::Parameters->new($query // ''));
	my $content = $self->_resolve($vendor, $operation->{requestBody} // {})->{content}{'application/json'};
	my $schema = $content ? $content->{schema} : undef;

	$body = undef if defined $body && !ref $body && $body eq '';
	if (defined $body && !ref $body)
	{
		$body = eval { decode_json($body) };
		return (@problems, "$name: the body is not JSON") if $@;
	}
	push @problems, $self->_check($vendor, $schema, $body, 'body', 1) if $schema && defined $body;
	return map { "$name: $_" } @problems;
}

# The problems of a reply.  Properties that the document does not know and
# nulls are accepted: the documents were written from a few examples.
sub check_reply ($self, $vendor, $method, $path, $status, $body)
{
	my $operation = $self->_operation($vendor, $method, $path);
	my $name = "$method " . _bare($path);

	return ("$name: no such operation") if !$operation;
	return map { "$name: $_" } $self->_check_halopsa($path, $status, ref $body || !defined $body || $body eq '' ? $body : decode_json($body)) if $vendor eq 'halopsa';
	my $replies = $operation->{responses};
	my $reply = $replies->{$status} // $replies->{default};
	return ("$name: status $status is not documented") if !$reply;
	my $schema = $self->_resolve($vendor, $reply)->{content}{'application/json'}{schema};
	return if !$schema || !defined $body || (!ref $body && $body eq '');
	$body = decode_json($body) if !ref $body;
	return map { "$name: $_" } grep { $_ !~ $CONTRADICTED{$vendor} } $self->_check($vendor, $schema, $body, 'reply', 0);
}

# HaloPSA's document has no schemas of replies, and says 200 where 201 comes.
# Records look the same both ways, so that the schema of a request will do.
sub _check_halopsa ($self, $path, $status, $body)
{
	my ($entity, $id) = _bare($path) =~ m{^/api/(\w+)(?:/(\d+))?\z} or return 'no list of that name';
	my ($schema, $key) = @{ $LISTS{$entity} // [] } or return;

	return "status $status is not expected" if $status !~ /^20[01]\z/;
	return 'the reply is not an object' if $key && ref $body ne 'HASH' && !($status == 201 && ref $body eq 'ARRAY');
	my $found = $status == 201 || $id ? $body : $key ? $body->{$key} : $body;
	return 'the list is not an array' if $status == 200 && !$id && ref $found ne 'ARRAY';
	my $check = { '$ref' => "#/components/schemas/$schema" };
	$check = { type => 'array', items => $check } if ref $found eq 'ARRAY';
	return grep { $_ !~ $CONTRADICTED{halopsa} } $self->_check('halopsa', $check, $found, 'reply', 1);
}

# The path as the vendor has it.
sub _bare ($path)
{
	return $path =~ s{\A/(?:(?:zendesk|halopsa)/[^/]+|clickup)(?=/)}{}r =~ s{\.json\z}{}r;
}

# The operation of a method and path, with the parameters of its path item.
sub _operation ($self, $vendor, $method, $path)
{
	my $document = $self->documents->{$vendor} // die "no document of \"$vendor\"\n";
	my @segments = split m{/}, $vendor ne 'zendesk' ? _bare($path) =~ s{\A/api}{}r : _bare($path);
	my $paths = $self->{segments}{$vendor} //= { map { $_ => [ split m{/} ] } keys %{ $document->{paths} } };
	my ($best, $literals);

  PATH:
	for my $template (sort keys %$paths)
	{
		my $parts = $paths->{$template};
		next if @$parts != @segments || !$document->{paths}{$template}{ lc $method };
		my $same = 0;
		for my $i (0 .. $#segments)
		{
			next if $parts->[$i] =~ /^\{/;
			next PATH if $parts->[$i] ne $segments[$i];
			$same++;
		}
		($best, $literals) = ($template, $same) if !defined $best || $same > $literals;
	}
	return if !defined $best;
	my $item = $document->{paths}{$best};
	return { %{ $item->{ lc $method } }, parameters => [ @{ $item->{parameters} // [] }, @{ $item->{ lc $method }{parameters} // [] } ] };
}

sub _check_query ($self, $vendor, $operation, $query)
{
	my %known;
	my @problems;

	for my $parameter (map { $self->_resolve($vendor, $_) } @{ $operation->{parameters} })
	{
		$known{ $parameter->{name} } = $parameter if $parameter->{in} eq 'query';
	}
	for my $name (@{ $query->names })
	{
		my $parameter = $known{$name} // $known{ $name =~ s/\[\]\z//r };
		if (!$parameter)
		{
			push @problems, "query parameter $name is not known" if !$UNDOCUMENTED_QUERY{$vendor}{$name};
			next;
		}
		my $type = $parameter->{schema}{type} // '';
		my $value = $query->param($name);
		push @problems, "query parameter $name: \"$value\" is no integer" if $type eq 'integer' && $value !~ /^-?\d+\z/;
		push @problems, "query parameter $name: \"$value\" is no boolean" if $type eq 'boolean' && $value !~ /^(?:true|false)\z/;
	}
	for my $name (sort grep { ($known{$_}{required} // '') =~ /^(?:1|true)$/ } keys %known)
	{
		push @problems, "query parameter $name is missing" if !defined $query->param($name) && !defined $query->param('cursor');
	}
	return @problems;
}

# Follow $ref, also into the middle of an operation.
sub _resolve ($self, $vendor, $schema)
{
	while (ref $schema eq 'HASH' && defined $schema->{'$ref'} && !ref $schema->{'$ref'})
	{
		my $target = $self->documents->{$vendor};
		for my $step (split m{/}, $schema->{'$ref'} =~ s{\A#/}{}r)
		{
			$step = url_unescape($step) =~ s{~1}{/}gr =~ s/~0/~/gr;
			$target = ref $target eq 'ARRAY' ? $target->[$step] : $target->{$step};
		}
		$schema = $target // die "cannot resolve the reference\n";
	}
	return $schema;
}

# The problems of a value by a schema.
sub _check ($self, $vendor, $schema, $value, $where, $strict)
{
	$schema = $self->_resolve($vendor, $schema);
	for my $kind (qw(anyOf oneOf))
	{
		next if !$schema->{$kind};
		my @best;
		for my $choice (@{ $schema->{$kind} })
		{
			my @problems = $self->_check($vendor, $choice, $value, $where, $strict) or return;
			@best = @problems if !@best || @problems < @best;
		}
		return @best;
	}
	if ($schema->{allOf})
	{
		my %properties = $self->_properties($vendor, $schema);
		my @required = map { @{ $self->_resolve($vendor, $_)->{required} // [] } } @{ $schema->{allOf} };
		$schema = { type => 'object', properties => \%properties, required => \@required };
	}

	my %types = map { $_ => 1 } map { ref $_ ? @$_ : $_ } $schema->{type} // ($schema->{properties} ? 'object' : ());
	if (!defined $value)
	{
		my ($leaf) = $where =~ /([^.\[\]]+)(?:\[\d+\])?\z/;
		return if !$strict || !%types || $types{null} || $schema->{nullable} || $NULLABLE{$vendor}{$leaf};
		return "$where is null";
	}
	return if !%types;
	my $type = _type($value);
	return "$where is " . ($type =~ /^[aio]/ ? 'an ' : 'a ') . "$type, not " . join ' or ', sort keys %types
	  if !($types{$type} || ($type eq 'integer' && $types{number}));
	return "$where: \"$value\" is not one of the values allowed"
	  if $schema->{enum} && !ref $value && !grep { defined && $_ eq $value } @{ $schema->{enum} };
	return $self->_check_object($vendor, $schema, $value, $where, $strict) if $type eq 'object';
	return if $type ne 'array' || !$schema->{items};
	return map { $self->_check($vendor, $schema->{items}, $value->[$_], "${where}[$_]", $strict) } 0 .. $#$value;
}

sub _check_object ($self, $vendor, $schema, $value, $where, $strict)
{
	my $properties = $schema->{properties} // {};
	my @problems;

	for my $name (sort keys %$value)
	{
		if ($properties->{$name})
		{
			push @problems, $self->_check($vendor, $properties->{$name}, $value->{$name}, "$where.$name", $strict);
		}
		elsif ($strict && %$properties && !$schema->{additionalProperties} && !$UNDOCUMENTED_BODY{$vendor}{$name})
		{
			push @problems, "$where.$name is not known";
		}
	}
	push @problems, map { "$where.$_ is missing" } grep { !exists $value->{$_} } sort @{ $schema->{required} // [] };
	return @problems;
}

# All properties of a schema made of others.
sub _properties ($self, $vendor, $schema)
{
	$schema = $self->_resolve($vendor, $schema);
	return ((map { $self->_properties($vendor, $_) } @{ $schema->{allOf} // [] }), %{ $schema->{properties} // {} });
}

sub _type ($value)
{
	return 'object' if ref $value eq 'HASH';
	return 'array' if ref $value eq 'ARRAY';
	return 'boolean' if is_bool($value);
	return is_int($value) ? 'integer' : is_number($value) ? 'number' : 'string';
}

1;
