@extends('layout')

@section('page')
<h1>Map editor</h1>
<form method="post" action="/logout">
    @csrf
    <button>Log out</button>
</form>
@endsection
