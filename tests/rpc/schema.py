"""The protocol as `rpc/schema.json` has it, and what of a line does not follow it."""

import json

import jsonschema


class Schema:
    def __init__(self, file):
        self.document = json.loads(file.read_text(encoding='utf-8'))
        self.definitions = self.document['$defs']
        self.methods, self.notifications = self.document['methods'], self.document['notifications']
        self.known = {}  # validators by what they are of

    def problem(self, message, method):
        """What is wrong with a line of the program, or None; `method` is that of the request that it answers, if any.

        The schema of all lines is a long list of alternatives; here the right one is looked up, which is the same
        and tells what is wrong."""
        if message.get('jsonrpc') != '2.0':
            return 'its "jsonrpc" is not "2.0"'
        if message.keys() == {'jsonrpc', 'method', 'params'}:
            name = message['method']
            if name not in self.notifications:
                return f'no notification is called {name}'
            return self.mismatch(('notification', name), self.notifications[name], message['params'])
        if message.keys() == {'jsonrpc', 'id', 'error'}:
            return self.mismatch('error', {'$ref': '#/$defs/RpcError'}, message['error'])
        if message.keys() == {'jsonrpc', 'id', 'result'} and method is not None:
            return self.mismatch(('result', method), self.methods[method]['result'], message['result'])
        return f'no line has these members: {sorted(message)}; the method was {method}'

    def refusal(self, method, params):
        """Why these params are none of that method's, or None."""
        return self.mismatch(('params', method), self.methods[method]['params'], params)

    def of_all_lines(self, message, side):
        """What is wrong by the schema as it is published: `client` or `server` says which side has the line."""
        return self.mismatch(side, {'$ref': f'#/$defs/{side}'}, message)

    def mismatch(self, key, schema, value):
        if key not in self.known:
            self.known[key] = jsonschema.Draft202012Validator({'$defs': self.definitions, **schema})
        found = next(self.known[key].iter_errors(value), None)
        return found and f'{found.json_path}: {found.message}'
